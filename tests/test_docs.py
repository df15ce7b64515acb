"""The docs cannot drift from the code."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

import pinscher
from pinscher import document
from pinscher.cli.app import VERBS
from pinscher.diagnosis import Cause
from pinscher.entry import Mode, OnExpiry, Redirects, Role, Rung, UnlistedHosts
from pinscher.lab.errand import PLACEHOLDERS

if TYPE_CHECKING:
    import enum
    from types import ModuleType

HERE = Path(__file__).parent.parent
DOCS = HERE / "docs"


def _page(name: str) -> str:
    return (DOCS / "reference" / name).read_text(encoding="utf-8")


_NO_STACKS = {
    "errors",
    "judge",
    "guard",
    "guard_hooks",
    "injection",
    "logs",
    "measures",
    "opentelemetry",
    "prometheus",
    "unseen",
}
"""Files of the clients' room that are about no stack of its own."""


def test_the_table_of_clients_is_current() -> None:
    """The table of clients says what the clients do today."""
    checked = subprocess.run(
        [sys.executable, HERE / "tools" / "clients_table.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (0, "the table of clients is current\n") == (checked.returncode, checked.stdout), checked.stderr


def test_the_page_of_each_client_is_current() -> None:
    """The page with each client's code holds the very functions that the conformance tests play."""
    checked = _checked("each_client.py")
    assert (0, "the page of each client is current\n") == (checked.returncode, checked.stdout), checked.stderr


def test_every_error_is_documented() -> None:
    """The page of errors has every error class of the source, with what it means today and whose fault it is."""
    checked = _checked("errors_reference.py")
    assert (0, "the page of errors is current\n") == (checked.returncode, checked.stdout), checked.stderr


def test_every_event_figure_and_variable_is_documented() -> None:
    """The pages of events, figures and environment variables have every name of the source, and none that is gone."""
    checked = _checked("names_reference.py")
    assert (0, "the pages of names are current\n") == (checked.returncode, checked.stdout), checked.stderr


def test_every_variable_of_a_hook_is_documented() -> None:
    """The page of environment variables has every variable that a hook of an ACME client reads."""
    read = {
        name
        for hook in (DOCS / "hooks").glob("*.sh")
        for name in re.findall(r"\$\{?([A-Z][A-Z0-9_]+)", hook.read_text(encoding="utf-8"))
    }
    assert {"PINSCHER_HOOK_CONF", "PINSCHER_SERVED", "TLS_SECRET"} <= read
    assert [] == [name for name in sorted(read) if f"| `{name}` |" not in _page("environment.md")]


def test_every_value_of_a_program_under_test_is_documented() -> None:
    """The page of environment variables has a variable for every placeholder of ``lab run``, and no placeholder of a name."""
    listed = set(re.findall(r"^\| `PINSCHER_LAB_(\w+)` \|", _page("environment.md"), re.MULTILINE))
    assert [] == [name for name in PLACEHOLDERS if not {name.upper(), f"{name.upper()}_FILE"} & listed]
    assert "NAME" not in listed


def test_every_public_name_of_a_room_is_documented() -> None:
    """The page of the rooms has every name of every room's ``__all__``, with the first sentence of its docstring."""
    checked = _checked("rooms_reference.py")
    assert (0, "the page of the rooms is current\n") == (checked.returncode, checked.stdout), checked.stderr


def test_every_public_name_of_a_room_has_its_sentence() -> None:
    """No row of the page of the rooms is without a sentence."""
    assert "see its own page" not in _page("rooms.md")


def test_the_drawing_is_current() -> None:
    """The drawing of the house has every room on its floor and every import between two rooms."""
    checked = _checked("drawing.py")
    assert (0, "the drawing is current\n") == (checked.returncode, checked.stdout), checked.stderr


def test_every_decision_is_in_the_index() -> None:
    """The index of decisions has each of them by its number, title and status."""
    checked = _checked("decisions_index.py")
    assert (0, "the index of decisions is current\n") == (checked.returncode, checked.stdout), checked.stderr


_LAYERS = [
    [name.strip() for name in layer.split("|")]
    for layer in tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ][0]["layers"]
]
_GROUND = {name for layer in _LAYERS[[layer[0] for layer in _LAYERS].index("verdict") :] for name in layer}


def test_every_room_is_described() -> None:
    """The page about the architecture says of each room what it owns, of a file that is a room by itself as well."""
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    rooms = {name for layer in _LAYERS for name in layer} - _GROUND
    assert {path.parent.name for path in (HERE / "src" / "pinscher").glob("*/__init__.py")} <= rooms
    assert [] == [room for room in sorted(rooms) if f"| `{room}` |" not in page]


def test_the_drawing_has_every_floor_of_the_contract() -> None:
    """The drawing names every room and every file that the contract about floors names."""
    texts = re.findall(r"<text[^>]*>([^<]+)</text>", (DOCS / "architecture.svg").read_text(encoding="utf-8"))
    named = {name for text in texts for name in text.split(" \u00b7 ")}
    assert set() == {name for layer in _LAYERS for name in layer} - named


def test_a_contributor_is_told_of_every_floor() -> None:
    """The table of floors for contributors has each room and file where the contract about floors has it."""
    page = (HERE / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = page.partition("| floor | rooms |\n|---|---|\n")[2].partition("\n\n")[0]
    assert [name for layer in _LAYERS for name in layer] == re.findall(r"`(\w+)`", table)


_NAMED = [
    (page.name, named)
    for page in sorted((DOCS / "why").glob("*.md"))
    for named in re.findall(r"`((?:src|tests)/[^`]+)`", page.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("page", "named"), _NAMED, ids=lambda value: value.rpartition("/")[2])
def test_what_prevents_a_failure_is_there(page: str, named: str) -> None:
    """A file or a test that a page about reasons names is there."""
    file, _, test = named.partition("::")
    assert (HERE / file).is_file()
    assert not test or f"def {test}(" in (HERE / file).read_text(encoding="utf-8")


def test_every_lesson_names_what_prevents_it() -> None:
    """Each row of the page about others' failures ends in a file or a test."""
    rows = [
        line for line in (DOCS / "why" / "lessons.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")
    ]
    assert [] == [row for row in rows if "| here |" not in row and not re.search(r"\| `(src|tests)/\S+` \|$", row)]


def _checked(tool: str) -> subprocess.CompletedProcess[str]:
    """Have a generator say whether its page is current."""
    command = [sys.executable, HERE / "tools" / tool, "--check"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_the_table_of_diagnoses_is_current() -> None:
    """The page of the causes says how the diagnosis does on every refusal of the lab today, and nothing is confused."""
    checked = subprocess.run(
        [sys.executable, HERE / "tools" / "diagnosis_summary.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (0, "the table of diagnoses is current\n") == (checked.returncode, checked.stdout), checked.stderr
    rows = [line.split("|")[1:-1] for line in _page("diagnosis.md").splitlines() if line.startswith("| all ")]
    assert ["0"] == [row[-1].strip() for row in rows]


ROWS = [line for line in _page("clients.md").splitlines() if line.startswith("| ")]


@pytest.mark.parametrize("row", ROWS[1:], ids=lambda row: row.split("|")[1].strip())
def test_every_row_of_the_table_of_clients_has_its_test(row: str) -> None:
    """A client in the table is one that the conformance tests play, or names the test that proves what its row says."""
    import ast

    from tests.conformance.test_clients import CLIENTS

    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    if cells[0] == "stack" or len(cells) == len(ROWS[0].split("|")) - 2:
        assert cells[0] == "stack" or cells[0] in [client.name for client in CLIENTS]
        return
    file, _, test = cells[-1].strip("`").partition("::")
    tree = ast.parse((HERE / file).read_text(encoding="utf-8"))
    assert test in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


def test_no_file_for_a_stack_is_missing_in_the_table_of_clients() -> None:
    """Every file in the room of clients that is a stack's own has a row in the table."""
    rooms = {path.stem for path in (Path(pinscher.__file__).parent / "clients").glob("[a-z]*.py")} - _NO_STACKS
    listed = _page("clients.md").replace("-", "_").lower()
    assert [] == sorted(room for room in rooms if room not in listed)


@pytest.mark.parametrize("name", pinscher.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    """Every name of the front door has a heading in the API reference."""
    assert f"## `{name}`" in _page("api.md")


def test_no_documented_name_is_missing() -> None:
    """Every heading of the API reference is a name of the front door."""
    headings = [line[4:].strip("`") for line in _page("api.md").splitlines() if line.startswith("## `")]
    assert sorted(pinscher.__all__) == sorted(headings)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_documented(verb: str) -> None:
    """The reference of the command line holds each verb's own help, as it is printed today."""
    printed = subprocess.run(
        [sys.executable, "-m", "pinscher.cli", verb, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "80", "PATH": "/usr/bin:/bin"},
    ).stdout
    assert printed.replace("python -m pinscher.cli", "pinscher") in _page("cli.md")


def test_the_reference_of_the_command_line_has_every_verb_and_no_other() -> None:
    """Each verb, and each verb of a verb that is several, has a heading in its order, and no heading is of anything else."""
    expected = [
        f"## `pinscher {name}`"
        for verb in VERBS
        for name in (verb, *(f"{verb} {one}" for one in getattr(_module_of(verb), "COMMANDS", ())))
    ]
    assert expected == [line for line in _page("cli.md").splitlines() if line.startswith("## ")]


def _module_of(verb: str) -> ModuleType:
    return import_module(f"pinscher.cli.{verb}_" if iskeyword(verb) else f"pinscher.cli.{verb}")


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.NONE])
def test_every_cause_is_documented(cause: Cause) -> None:
    """Every cause that a diagnosis can name is explained."""
    assert f"`{cause.value}`" in _page("diagnosis.md")


def _rows_below(heading: str) -> list[str]:
    """Return the names in the first column of the table below a heading of the page about the policy document."""
    section = _page("policy.md").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return sorted(line.split("`")[1] for line in section.splitlines() if line.startswith("| `"))


@pytest.mark.parametrize(
    ("heading", "fields"),
    [
        ("The document", document._TOP),
        ("A key", document._KEY),
        ("A host", document._PIN_FIELDS.union(document.HOST_FIELDS)),
        ("A report channel", document._CHANNEL),
    ],
    ids=["document", "key", "host", "channel"],
)
def test_every_field_of_the_policy_document_is_documented(heading: str, fields: frozenset[str]) -> None:
    """Each table of the page about the policy document has every field that is read, and none that is not."""
    assert sorted(fields) == _rows_below(heading)


def test_the_policy_document_of_its_page_is_read() -> None:
    """The document that the page shows is a policy, and uses every field of a document, a key and a host."""
    (text,) = re.findall(r"```toml\n(.*?)```", _page("policy.md"), re.DOTALL)
    policy = pinscher.Policy.loads(text)
    assert ("bank-app", 42) == (policy.name, policy.version)
    fields = document._KEY | document._PIN_FIELDS | document.HOST_FIELDS.keys()
    assert [] == [field for field in fields if not re.search(rf"^{field} = ", text, re.MULTILINE)]


@pytest.mark.parametrize("choice", [Mode, OnExpiry, Rung, Redirects, Role, UnlistedHosts])
def test_every_value_of_a_field_is_documented(choice: type[enum.Enum]) -> None:
    """Each word that a field of the policy document takes stands on its page."""
    page = _page("policy.md")
    assert [] == [one.value for one in choice if f'`"{one.value}"`' not in page]


@pytest.mark.parametrize("outcome", pinscher.Outcome)
def test_every_outcome_is_documented(outcome: pinscher.Outcome) -> None:
    """Every outcome of a verdict is in the truth table."""
    assert f"`{outcome.name}`" in _page("verdict.md")


PAGES = sorted(path for path in [HERE / "README.md", *DOCS.rglob("*.md")])


def _anchors(page: Path) -> set[str]:
    """Return what the headings of a page are linked by: small letters, hyphens for blanks, and nothing else but digits."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _links(page: Path) -> list[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HERE)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """A relative link of a page leads to a file that is there, and its anchor to a heading."""
    for link in _links(page):
        target, _, anchor = link.partition("#")
        if not target.startswith(("https:", "http:", "mailto:")):
            led = page.parent / target if target else page
            assert led.exists(), link
            assert not anchor or led.suffix != ".md" or anchor in _anchors(led), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HERE)))
def test_links_to_elsewhere_have_the_form_of_one(page: Path) -> None:
    """A link to elsewhere is https, names a host of the public tree and no user, and ends in no sign of a sentence."""
    for link in _links(page):
        if not link.startswith(("https:", "http:")):
            continue
        parts = urlsplit(link)
        assert ("https", None) == (parts.scheme, parts.username), link
        assert re.fullmatch(r"([a-z0-9-]+\.)+[a-z]{2,}", parts.hostname or ""), link
        assert not link.endswith((".", ",", ";", ":")), link


_SECTIONS = re.findall(
    r"^## (\w[^\n]*)\n(.*?)(?=^## |^```\{toctree|\Z)",
    (DOCS / "index.md").read_text(encoding="utf-8"),
    re.MULTILINE | re.DOTALL,
)


def test_the_index_leads_to_every_page() -> None:
    """The text of the index, and not its menu alone, has a link to every page, or to the index of its kind."""
    linked = {(DOCS / link).resolve() for _, text in _SECTIONS for link in re.findall(r"\]\(([^)#]+)\)", text)}
    behind = {path for name in ("formats", "decisions") for path in (DOCS / name).glob("*.md") if path.stem != "index"}
    assert [] == sorted(set(DOCS.rglob("*.md")) - behind - linked - {DOCS / "index.md"})


@pytest.mark.parametrize(("heading", "text"), _SECTIONS, ids=lambda value: value[:12])
def test_the_index_names_a_page_once(heading: str, text: str) -> None:
    """Below one heading of the index a page stands once."""
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert sorted(set(links)) == sorted(links)


_UNRELEASED = pytest.mark.skipif(
    bool(re.search(r"^## \d", (HERE / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)),
    reason="there is a release, so what is installed by name is there",
)


@_UNRELEASED
@pytest.mark.parametrize("page", [HERE / "README.md", DOCS / "tutorial" / "first-pin.md"], ids=lambda page: page.stem)
def test_a_beginner_is_told_that_nothing_was_released(page: Path) -> None:
    """Where a beginner installs Pinscher, the page says that there is no release, and how to do it in a checkout."""
    before, _, after = page.read_text(encoding="utf-8").partition("released yet")
    assert "pip install" not in before
    assert "checkout" in after.partition("\n")[0]
    assert "pip install '.[cli" in after


@_UNRELEASED
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HERE)))
def test_no_page_names_a_version_that_is_not_there(page: Path) -> None:
    """No setting of a page asks for a version of Pinscher by its number before one was released."""
    text = page.read_text(encoding="utf-8")
    assert [] == re.findall(r"(?:uses: \S*pinscher@v?\d\S*|rev: v?\d\S*|pinscher==\S+)", text)
