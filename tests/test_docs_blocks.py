"""
No block of code in the documentation is skipped in silence.

1. Every block is run by a test that the table below names, or stands on a page that a tool made from code that is run,
   or has a comment above it: ``<!-- not run: REASON -->``.
2. The table says how many blocks of a language there are where its test picks them one by one, so that a new block is
   looked at by somebody. ALL stands where the test takes every block of that language.
3. A block that does nothing but ``pip install`` is not run: the tests have no package index.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).parent.parent
DOCS = HERE / "docs"
ALL = None

_HOW_TO = "tests/test_how_to.py"
_HERE = "tests/test_docs_blocks.py"
_HOOKS = "tests/test_hooks.py"
_UPDATES = "tests/test_how_to_updates.py"
_AS_IS = "tests/test_how_to_pin_a_program.py"
_TUTORIAL = {"console": (ALL, "tests/test_tutorial.py::test_every_step_prints_what_its_page_shows")}
_SAVED = _TUTORIAL | {"python": (ALL, "tests/test_tutorial.py::test_every_step_prints_what_its_page_shows")}

FOLLOWED: dict[str, dict[str, tuple[int | None, str]]] = {
    "README.md": {"*": (ALL, "tests/test_readme.py")},
    "docs/benchmarks.md": {"*": (ALL, "tests/test_benchmark_page.py")},
    "docs/formats/*.md": {"*": (ALL, "tests/unit/formats/test_formats.py::test_the_example_of_a_page_is_true")},
    "docs/how-to/alerts.md": {"*": (ALL, "tests/unit/monitor/test_alerts_process.py")},
    "docs/how-to/backup-key.md": {"console": (4, f"{_HOOKS}::test_the_page_about_backup_keys_is_true")},
    "docs/how-to/corporate-inspection.md": _TUTORIAL,
    "docs/how-to/find-what-to-pin.md": {"console": (ALL, f"{_HOW_TO}::test_the_page_about_finding_what_to_pin_is_true")},
    "docs/how-to/follow-certificate-transparency.md": {"*": (ALL, "tests/test_how_to_transparency.py")},
    "docs/how-to/forward.md": {
        "console": (6, f"{_HOW_TO}::test_the_page_about_forwarding_is_true"),
        "python": (1, f"{_HERE}::test_the_python_of_a_page_runs"),
    },
    "docs/how-to/gate-a-certificate.md": {
        "toml": (1, f"{_HOW_TO}::test_the_page_about_the_gate_is_true"),
        "console": (2, f"{_HOW_TO}::test_the_page_about_the_gate_is_true"),
        "": (1, f"{_HOW_TO}::test_the_page_about_the_gate_is_true"),
        "yaml": (2, f"{_HERE}::test_the_settings_for_commits_and_jobs_name_what_there_is"),
    },
    "docs/how-to/incident.md": _TUTORIAL,
    "docs/how-to/install.md": {"": (3, "tests/test_man_pages.py::test_the_page_about_installing_names_every_shell")},
    "docs/how-to/judge-a-client.md": {
        "console": (ALL, f"{_HOW_TO}::test_a_client_is_judged_from_the_page_alone"),
        "python": (ALL, f"{_HOW_TO}::test_a_client_is_judged_from_the_page_alone"),
    },
    "docs/how-to/keep-pins-fresh.md": {"*": (ALL, f"{_UPDATES}::test_the_page_about_fresh_pins_is_true")},
    "docs/how-to/one-policy-every-platform.md": {"": (5, f"{_HOW_TO}::test_the_page_about_platforms_is_true")},
    "docs/how-to/past-one-machine.md": {"*": (ALL, "tests/test_how_to_past_one_machine.py")},
    "docs/how-to/pin-a-program-as-it-is.md": {
        "console": (ALL, f"{_AS_IS}::test_the_commands_of_the_page_pin_the_program"),
        "python": (ALL, f"{_AS_IS}::test_the_python_of_the_pages_runs"),
    },
    "docs/how-to/plan-a-rotation.md": {
        "csv": (1, f"{_HOW_TO}::test_the_page_about_rotation_is_true"),
        "": (5, f"{_HOW_TO}::test_the_page_about_rotation_is_true"),
    },
    "docs/how-to/probe-endpoints.md": {
        "text": (1, "tests/test_how_to_probe.py::test_the_page_about_probing_is_true"),
        "console": (ALL, "tests/test_how_to_probe.py::test_the_page_about_probing_is_true"),
    },
    "docs/how-to/prove-a-pin-set-survives.md": {"": (5, f"{_HOW_TO}::test_the_page_about_survival_is_true")},
    "docs/how-to/pytest.md": {"python": (ALL, f"{_HOW_TO}::test_the_page_about_pytest_is_true")},
    "docs/how-to/renew-with-certbot.md": {
        "console": (ALL, f"{_HOOKS}::test_the_page_about_renewals_is_true"),
        "yaml": (2, "tests/test_hooks_in_a_cluster.py::test_a_pod_starts_with_what_clients_accept"),
    },
    "docs/how-to/report-only-to-enforce.md": _SAVED,
    "docs/how-to/serve.md": {"*": (ALL, "tests/test_how_to_serve.py")},
    "docs/how-to/ship-and-keep-pins.md": {"*": (ALL, "tests/test_how_to_ship.py::test_the_page_about_shipping_pins_is_true")},
    "docs/how-to/signed-updates.md": _SAVED
    | {"toml": (1, "tests/test_tutorial.py::test_every_step_prints_what_its_page_shows")},
    "docs/how-to/watch-verdicts.md": {
        "python": (ALL, f"{_AS_IS}::test_the_python_of_the_pages_runs"),
        "toml": (1, f"{_HERE}::test_a_part_of_a_policy_is_read"),
    },
    "docs/reference/api.md": {"python": (1, f"{_HERE}::test_the_python_of_a_page_runs")},
    "docs/reference/lint.md": {"toml": (ALL, "tests/unit/rotation/test_lint_reference.py::test_the_document_before_is_found")},
    "docs/reference/log.md": {"python": (1, f"{_HERE}::test_the_python_of_a_page_runs")},
    "docs/reference/policy.md": {"toml": (1, "tests/test_docs.py::test_the_policy_document_of_its_page_is_read")},
    "docs/tutorial/*.md": _SAVED,
}  # fmt: skip
MADE = re.compile(r"^Made by `(tools/\w+\.py)`", re.MULTILINE)
_FENCE = re.compile(r"^ *(```+)([^\n`]*)\n(.*?)^ *\1 *$", re.MULTILINE | re.DOTALL)
_REASON = re.compile(r"<!-- not run: [^\n>]{10,} -->\n\n?\Z")


@dataclass(frozen=True)
class Block:
    """One block: its page, its language, its content, and whether a comment above it says why it is not run."""

    page: Path
    language: str
    content: str
    has_reason: bool

    def __str__(self) -> str:
        return f"{self.page.relative_to(HERE)}: {self.content[:40]!r}"


def _blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, found[2].strip(), found[3], bool(_REASON.search(text[: found.start()])))
        for found in _FENCE.finditer(text)
        if not found[2].startswith("{")
    ]


PAGES = [HERE / "README.md", *sorted(DOCS.rglob("*.md"))]
WITH_BLOCKS = [page for page in PAGES if _blocks(page) and not MADE.search(page.read_text(encoding="utf-8"))]


def _entry(page: Path) -> dict[str, tuple[int | None, str]]:
    name = page.relative_to(HERE).as_posix()
    return FOLLOWED.get(name) or FOLLOWED.get(f"{name.rpartition('/')[0]}/*.md", {})


def _to_be_run(page: Path) -> list[Block]:
    return [
        block
        for block in _blocks(page)
        if not block.has_reason and not re.fullmatch(r"(\$ pip install [^\n]*\n)+", block.content)
    ]


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=lambda page: page.relative_to(HERE).as_posix())
def test_no_block_is_skipped_in_silence(page: Path) -> None:
    """Every block of a page is run by a test that is named for it, or says above itself why it is not run."""
    entry, blocks = _entry(page), _to_be_run(page)
    assert [] == [str(block) for block in blocks if block.language not in entry and "*" not in entry]
    for language, (count, _) in entry.items():
        assert count in (ALL, len([block for block in blocks if block.language == language])), language


@pytest.mark.parametrize("page", sorted(FOLLOWED))
def test_what_runs_a_page_is_there(page: str) -> None:
    """A test that is named for a page is there, and the page is too."""
    assert list(HERE.glob(page))
    for _, named in FOLLOWED[page].values():
        file, _, test = named.partition("::")
        assert not test or f"def {test}(" in (HERE / file).read_text(encoding="utf-8"), named
        assert (HERE / file).is_file(), named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(HERE).as_posix())
def test_what_made_a_page_is_there(page: Path) -> None:
    """A page that says which tool made it names one that there is, and that a test runs or that says when it was run."""
    for tool in MADE.findall(page.read_text(encoding="utf-8")):
        assert (HERE / tool).is_file()


def test_a_block_without_a_test_is_seen(tmp_path: Path) -> None:
    """A block that nothing runs is one to be run; one with a reason above it, or that only installs, is not."""
    page = tmp_path / "page.md"
    page.write_text(
        "```python\nx\n```\n\n<!-- not run: there is no cluster here -->\n\n```yaml\ny\n```\n\n"
        "```console\n$ pip install x\n```\n\n<!-- not run: no -->\n\n```sh\nz\n```\n"
    )
    assert ["x\n", "z\n"] == [block.content for block in _to_be_run(page)]
    assert {} == FOLLOWED.get("docs/how-to/page.md", {})


_POLICY = (HERE / "README.md").read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
_BEFORE = {"forward.md": "import grpc\n"}


@pytest.mark.parametrize(
    "block",
    [
        block
        for page in ("docs/reference/api.md", "docs/reference/log.md", "docs/how-to/forward.md")
        for block in _blocks(HERE / page)
        if block.language == "python"
    ],
    ids=str,
)
def test_the_python_of_a_page_runs(tmp_path: Path, block: Block) -> None:
    """A piece of Python runs as it stands there, with the policy of the README beside it."""
    (tmp_path / "pins.toml").write_text(_POLICY)
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", _BEFORE.get(block.page.name, "") + block.content],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (0, "") == (ran.returncode, ran.stderr)


def test_the_settings_for_commits_and_jobs_name_what_there_is() -> None:
    """The hooks and the inputs of the page about the gate are those of the repository."""
    hooks, job = (
        yaml.safe_load(block.content)
        for block in _blocks(DOCS / "how-to" / "gate-a-certificate.md")
        if block.language == "yaml"
    )
    offered = {hook["id"] for hook in yaml.safe_load((HERE / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))}
    assert {hook["id"] for hook in hooks["repos"][0]["hooks"]} <= offered
    inputs = yaml.safe_load((HERE / "action.yml").read_text(encoding="utf-8"))["inputs"]
    assert set(job["steps"][-1]["with"]) <= set(inputs)


def test_a_part_of_a_policy_is_read() -> None:
    """The part of a policy on the page about verdicts is one, below the head that every policy has."""
    from pinscher import Policy

    (text,) = [block.content for block in _blocks(DOCS / "how-to" / "watch-verdicts.md") if block.language == "toml"]
    assert 1 == len(Policy.loads(f'format = 1\nname = "bank-app"\nversion = 1\n{text}').hosts)
