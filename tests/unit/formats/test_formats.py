"""What holds for every dialect: the table, the errors, hostile bytes, and the page in the manual."""

from __future__ import annotations

import contextlib
import pickle
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import AT, host_table, policies, policy_of

from pinscher.errors import PinningError
from pinscher.formats import FORMATS, LOSSES, WEAKENINGS, Choices, FormatLossError, Loss, UnreadableFileError, Weakening
from pinscher.policy import Policy

MANUAL = Path(__file__).parents[3] / "docs/formats"
SOURCES = Path(__file__).parents[3] / "src/pinscher/formats"
READERS = sorted(name for name, one in FORMATS.items() if one.read is not None)
EVERY_LOSS = frozenset(LOSSES)


def test_the_table_names_every_dialect() -> None:
    """The dialects have the names that the command line takes."""
    expected = (
        "android apple trustkit okhttp swift dart react-native node go curl envoy hpkp chromium fingerprint tlsa csv"
    )
    assert expected.split() == list(FORMATS)
    assert all(one.write is not None for one in FORMATS.values())


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_dialect_has_a_page(name: str) -> None:
    """A dialect's page says what it can say, what it cannot, what we refuse, and shows an example in and out."""
    page = (MANUAL / f"{name}.md").read_text()
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert {"What it can say", "What it cannot say", "What we refuse", "Example", "How it was checked"} <= set(headings)
    refused = set(re.findall(r"^- `([a-z-]+)`", page, re.MULTILINE))
    assert refused <= set(LOSSES) | set(WEAKENINGS)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_the_example_of_a_page_is_true(name: str) -> None:
    """A page's policy is written as the page shows it, and reading what is shown gives the same file again."""
    page = (MANUAL / f"{name}.md").read_text()
    policy_text, shown = re.findall(r"^```[a-z]+\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    accepted = frozenset(re.findall(r"--accept-loss=([a-z-]+)", page))
    told = Choices(AT, accepted=accepted, is_public_suffix=frozenset({"com"}).__contains__)
    dialect = FORMATS[name]
    wanted = Policy.loads(policy_text)
    assert dialect.write is not None
    assert shown.rstrip() == dialect.write(wanted, told).decode().rstrip()
    if dialect.read is not None:
        assert shown.rstrip() == dialect.write(dialect.read(shown.encode(), told).policy, told).decode().rstrip()


def test_every_loss_and_weakening_is_used_and_told() -> None:
    """Every loss and weakening is named by a writer or reader, and listed in the manual."""
    source = "".join(path.read_text() for path in SOURCES.glob("*.py") if path.name not in ("loss.py", "format.py"))
    manual = "".join(path.read_text() for path in MANUAL.glob("*.md"))
    assert [] == [name for name in (*LOSSES, *WEAKENINGS) if f'"{name}"' not in source]
    assert [] == [name for name in (*LOSSES, *WEAKENINGS) if f"`{name}`" not in manual]


@pytest.mark.parametrize("name", READERS)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@settings(max_examples=60)
def test_readers_are_total(name: str, content: bytes) -> None:
    """Any bytes become a policy or the reader's own error, whose text is safe to show on one line."""
    reader = FORMATS[name].read
    assert reader is not None
    told = ""
    try:
        reader(content, Choices(AT))
    except (UnreadableFileError, FormatLossError) as error:
        told = str(error)
    assert told.replace("\n", " ").isprintable()


@given(policies(), st.data())
@settings(max_examples=150)
def test_flipped_files_are_read_or_refused(policy: Policy, data: st.DataObject) -> None:
    """A written file with a few octets changed is read as a policy or refused, and raises nothing else."""
    name = data.draw(st.sampled_from(READERS))
    dialect = FORMATS[name]
    assert dialect.write is not None
    assert dialect.read is not None
    try:
        content = bytearray(
            dialect.write(policy, Choices(AT, accepted=EVERY_LOSS, is_public_suffix={"com", "org"}.__contains__))
        )
    except FormatLossError:
        return
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1)) if content else 0
        content[at : at + 1] = data.draw(st.binary(max_size=2))
    with contextlib.suppress(UnreadableFileError, FormatLossError):
        dialect.read(bytes(content), Choices(AT))


def test_a_refusal_names_host_feature_and_choices() -> None:
    """A refusal tells every loss with its host, what the policy says, and each way out."""
    wanted = policy_of(host_table("*.bank.com"), defaults='unlisted-hosts = "deny"')
    with pytest.raises(FormatLossError) as caught:
        FORMATS["android"].write(wanted, Choices(AT))
    assert {"unlisted-hosts", "one-label", "apex"} == {loss.name for loss in caught.value.losses} | {"apex"}
    told = str(caught.value)
    assert (
        '  *.bank.com: the target cannot stop after one label\n    write "**.bank.com" in the policy\n    or ' in told
    )
    assert "accept the loss 'unlisted-hosts': hosts that no entry names are let through" in told


def test_an_accepted_loss_without_an_honest_file_is_still_refused() -> None:
    """Where nothing honest can be written, accepting the loss by name changes nothing."""
    wanted = policy_of(host_table("bank.com"), host_table("shop.org"))
    with pytest.raises(FormatLossError, match="one host"):
        FORMATS["curl"].write(wanted, Choices(AT, accepted=EVERY_LOSS))


def test_errors_and_weakenings_are_values() -> None:
    """The errors of the dialects are pinning errors that survive pickling; names outside the tables cannot be made."""
    loss = FormatLossError("x", [Loss("apex", "bank.com", "feature")])
    unreadable = UnreadableFileError("x", "reason", line=3)
    assert loss.losses == pickle.loads(pickle.dumps(loss)).losses
    assert str(unreadable) == str(pickle.loads(pickle.dumps(unreadable)))
    named = unreadable.of("a\x1b.xml")
    assert ("a\\x1b.xml: x file, line 3: reason", "a\x1b.xml") == (str(named), named.source)
    assert str(named) == str(pickle.loads(pickle.dumps(named)))
    assert isinstance(loss, PinningError)
    assert isinstance(unreadable, PinningError)
    with pytest.raises(ValueError, match="nonsense"):
        Loss("nonsense", None, "feature")
    with pytest.raises(ValueError, match="nonsense"):
        Weakening("nonsense", "here")
    assert r"misspelt: \x1b[31m: \x0a" == str(Weakening("misspelt", "\x1b[31m", "\n"))


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_policy_of_exceptions_alone_pins_nothing_anywhere(name: str, choices: Choices) -> None:
    """A policy without a pinned host is written as a file without a pin, and is no error of the writer."""
    write = FORMATS[name].write
    assert write is not None
    written = write(policy_of('[hosts."bank.com"]\nunpinned = "public"'), choices)
    assert [] == re.findall(rb"[A-Za-z0-9+/]{43}=|[0-9a-f]{64}", written)
