"""A log in a folder: appended to, mirrored, audited."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pinscher.policy import Policy
from pinscher.updates.log import (
    Checkpoint,
    FolderSource,
    ForkedLogError,
    HttpSource,
    InvalidNoteError,
    InvalidProofError,
    LogBehindError,
    LogDamagedError,
    LogError,
    LogProof,
    LogUnreachableError,
    LogWriter,
    NoteSigner,
    audit,
    entries_of,
    follow,
    pin_set_entry,
    source_of,
)
from pinscher.updates.log.tiles import Tile, tiles_of
from tests.unit.updates.log.naive import made, naive_root

if TYPE_CHECKING:
    from pathlib import Path


def files_of(folder: Path) -> dict[str, bytes]:
    """Return every file of a log but its lock."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


@pytest.mark.parametrize(("index", "tail"), [(0, "000"), (999, "999"), (1000, "x001/000"), (1234067, "x001/x234/067")])
def test_paths_are_those_of_the_specification(index: int, tail: str) -> None:
    """A tile's index is written in groups of three digits, all but the last with an x; a partial tile has its width."""
    assert (f"tile/0/{tail}", f"tile/entries/{tail}") == (Tile(0, index, 256).path, Tile(0, index, 256).entries_path)
    assert f"tile/2/{tail}.p/17" == Tile(2, index, 17).path


def test_a_tree_of_seventy_thousand_has_the_tiles_of_the_specification() -> None:
    """A tree of 70,000 has 273 full tiles and one of 112, a full one and one of 17, and one of 1; one of 256 has two."""
    tiles = list(tiles_of(70_000))
    assert (274, 2, 1) == tuple(sum(tile.level == level for tile in tiles) for level in range(3))
    assert [112, 17, 1] == [tile.width for tile in tiles if tile.width < 256]
    assert [Tile(0, 0, 256), Tile(1, 0, 1)] == list(tiles_of(256))
    assert [Tile(0, 0, 3)] == list(tiles_of(3, since=2))
    assert [] == list(tiles_of(0))


@pytest.mark.parametrize("sizes", [[1], [255], [256], [257], [3, 5], [255, 256, 257], [600], [256, 512], [700, 65_600]])
def test_a_log_is_what_was_appended(tmp_path: Path, writer: LogWriter, signer: NoteSigner, sizes: list[int]) -> None:
    """However a log was appended to, its root is the naive one, its audit is good, and its entries come back."""
    entries = made(min(sizes[-1], 65_536)) + [b"more"] * max(sizes[-1] - 65_536, 0)
    size = 0
    for new in sizes:
        head = writer.append(entries[size:new])
        size = new
        assert Checkpoint(signer.name, size, naive_root(entries[:size])) == head
    source = FolderSource(tmp_path / "log")
    seen: list[None] = []
    result = audit(source, signer.verifier, on_tile=lambda: seen.append(None))
    assert (head, len(list(tiles_of(size))), len(seen)) == (result.head, result.tiles, result.tiles)
    assert entries[:size] == list(entries_of(source, result.head))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.integers(0, 300), min_size=1, max_size=5))
def test_small_steps_lead_where_one_step_leads(tmp_path: Path, signer: NoteSigner, steps: list[int]) -> None:
    """A log that was appended to in steps has the full tiles and the head of one that was written at once."""
    for name in ("steps", "once"):
        shutil.rmtree(tmp_path / name, ignore_errors=True)
    entries, size = made(sum(steps)), 0
    stepwise = LogWriter(tmp_path / "steps", signer)
    heads = []
    for step in steps:
        heads.append(stepwise.append(entries[size : size + step]))
        size += step
    LogWriter(tmp_path / "once", signer).append(entries)
    once, other = files_of(tmp_path / "once"), files_of(tmp_path / "steps")
    assert once == {path: other.get(path) for path in once}
    for head in heads:
        assert heads[-1] == follow(FolderSource(tmp_path / "once"), signer.verifier, seen=head)[0]
        assert heads[-1] == audit(FolderSource(tmp_path / "once"), signer.verifier, seen=head).head


def test_a_full_tile_stands_for_a_partial_one(tmp_path: Path, writer: LogWriter, signer: NoteSigner) -> None:
    """A mirror that keeps an older checkpoint and only the full tiles since is whole."""
    head = writer.append(made(200))
    note = (tmp_path / "log" / "checkpoint").read_bytes()
    writer.append(made(400)[200:])
    (tmp_path / "log" / "checkpoint").write_bytes(note)
    for name in ("tile/0/000.p", "tile/entries/000.p"):
        shutil.rmtree(tmp_path / "log" / name)
    assert head == audit(FolderSource(tmp_path / "log"), signer.verifier).head


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_bit_is_found(tmp_path: Path, signer: NoteSigner, data: st.DataObject) -> None:
    """A mirror with any bit of any file flipped, or with a file cut, is refused."""
    folder = tmp_path / "log"
    if not folder.exists():
        LogWriter(folder, signer).append(made(300))
    path = folder / data.draw(st.sampled_from(sorted(files_of(folder))))
    genuine = path.read_bytes()
    changed = bytearray(genuine)
    changed[data.draw(st.integers(0, len(genuine) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    for wrong in (bytes(changed), genuine[: data.draw(st.integers(0, len(genuine) - 1))]):
        path.write_bytes(wrong)
        with pytest.raises((LogDamagedError, InvalidNoteError)):
            audit(FolderSource(folder), signer.verifier)
    path.write_bytes(genuine)


def test_a_missing_file_is_found(tmp_path: Path, writer: LogWriter, signer: NoteSigner) -> None:
    """A mirror without any one of its files is refused, and the file is named."""
    writer.append(made(300))
    for name, content in files_of(tmp_path / "log").items():
        path = tmp_path / "log" / name
        path.unlink()
        with pytest.raises(LogError, match=f"{name} is missing"):
            audit(FolderSource(tmp_path / "log"), signer.verifier)
        path.write_bytes(content)


def test_a_mirror_with_tiles_of_its_own_is_found(tmp_path: Path, writer: LogWriter, signer: NoteSigner) -> None:
    """A mirror whose entries and tiles agree with each other, and not with the checkpoint, is refused."""
    writer.append(made(300))
    LogWriter(tmp_path / "other", signer).append(made(301)[1:])
    shutil.copy(tmp_path / "log" / "checkpoint", tmp_path / "other" / "checkpoint")
    source = FolderSource(tmp_path / "other")
    with pytest.raises(LogDamagedError, match="lead to another root than the checkpoint signs for 300"):
        audit(source, signer.verifier)
    with pytest.raises(LogDamagedError, match="do not lead to the root"):
        follow(source, signer.verifier, seen=LogWriter(tmp_path / "third", signer).append(made(5)))


def split_views(tmp_path: Path, signer: NoteSigner) -> tuple[Checkpoint, FolderSource]:
    """Return the head that a victim was shown, with a bundle of the thief's, and the log that everybody else sees."""
    everybody = LogWriter(tmp_path / "everybody", signer)
    everybody.append(made(300))
    shutil.copytree(tmp_path / "everybody", tmp_path / "victim")
    private = LogWriter(tmp_path / "victim", signer).append([b"the thief's private bundle"])
    everybody.append(made(310)[300:])
    return private, FolderSource(tmp_path / "everybody")


@pytest.mark.parametrize("read", [audit, follow])
def test_split_view_by_a_stolen_key(tmp_path: Path, signer: NoteSigner, read: object) -> None:
    """
    Equivocation: a thief of the log's key shows one victim a private bundle in a log of its own.

    Both logs are whole and signed. The victim's head, held to the log that everybody else sees, proves the fork, and
    the error carries both heads. See https://www.rfc-editor.org/rfc/rfc9162#section-11.3 and RFC 6962 section 7.3.
    """
    private, source = split_views(tmp_path, signer)
    audit(FolderSource(tmp_path / "victim"), signer.verifier)
    with pytest.raises(ForkedLogError, match="its first 301 entries are others than were seen") as fork:
        read(source, signer.verifier, seen=private)  # type: ignore[operator]
    assert (private, 310) == (fork.value.older, fork.value.newer.size)  # type: ignore[attr-defined]


def test_rollback_of_a_log(tmp_path: Path, writer: LogWriter, signer: NoteSigner) -> None:
    """A mirror that serves an older genuine head than was seen is behind; a head of another log is not compared."""
    writer.append(made(3))
    shutil.copytree(tmp_path / "log", tmp_path / "old")
    seen = writer.append(made(5)[3:])
    for read in (audit, follow):
        with pytest.raises(LogBehindError, match="the log has 3 entries, and 5 were seen"):
            read(FolderSource(tmp_path / "old"), signer.verifier, seen=seen)
    with pytest.raises(InvalidProofError, match="another log"):
        follow(FolderSource(tmp_path / "log"), signer.verifier, seen=Checkpoint("other", 0, bytes(32)))


def test_nothing_is_signed_over_changed_tiles(tmp_path: Path, writer: LogWriter) -> None:
    """A writer whose tiles were changed meanwhile signs nothing, and leaves the checkpoint."""
    writer.append(made(3))
    path = tmp_path / "log" / "tile" / "0" / "000.p" / "3"
    path.write_bytes(bytes(96))
    before = files_of(tmp_path / "log")
    with pytest.raises(LogDamagedError, match="nothing was signed"):
        writer.append([b"x"])
    assert before == files_of(tmp_path / "log")


def test_a_killed_writer_leaves_the_log_as_it_was(tmp_path: Path, signer: NoteSigner) -> None:
    """Whichever file was the last to be replaced, the log is whole; the next append writes other entries over it."""
    genuine = os.replace
    entries, other = made(300), [b"other"] * 300

    class DiedError(BaseException):
        """Stands for the end of the process."""

    for last in range(20):
        folder = tmp_path / str(last)
        writer = LogWriter(folder, signer)
        head, left = writer.append(entries[:250]), last

        def dying(*given: object, **named: object) -> None:
            nonlocal left
            if left == 0:
                raise DiedError
            left -= 1
            genuine(*given, **named)  # type: ignore[arg-type]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "replace", dying)
            try:
                writer.append(entries[250:])
            except DiedError:
                pass
            else:
                assert last > 5
                return
        assert head == audit(FolderSource(folder), signer.verifier).head
        writer.append(other)
        assert entries[:250] + other == list(
            entries_of(FolderSource(folder), audit(FolderSource(folder), signer.verifier).head)
        )


def test_an_entry_has_a_greatest_length(writer: LogWriter) -> None:
    """An entry is at most 65,535 octets long, which its length's two octets can say."""
    assert 1 == writer.append([bytes(65_535)]).size
    with pytest.raises(ValueError, match="65536 octets"):
        writer.append([bytes(65_536)])


def test_two_writers_take_turns(tmp_path: Path, writer: LogWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second writer waits for the first, and says so when it takes too long."""
    import filelock

    writer.append([])
    monkeypatch.setattr("pinscher.updates.log.writer._LOCK_SECONDS", 0.01)
    with filelock.FileLock(tmp_path / "log" / ".lock"), pytest.raises(LogUnreachableError, match="locked"):
        writer.append([b"x"])


def test_a_log_is_audited_over_http(mirror: str, writer: LogWriter, signer: NoteSigner) -> None:
    """A mirror behind a web server is audited like a folder."""
    head = writer.append(made(300))
    source = source_of(mirror)
    assert isinstance(source, HttpSource)
    assert head == audit(source, signer.verifier, seen=head).head
    assert None is source.fetch("tile/9/000", 10)


@pytest.mark.parametrize(
    ("path", "reason"),
    [("endless", "more than 1000 octets"), ("redirect", "HTTP status 302"), ("error", "HTTP status 500")],
)
def test_a_hostile_web_server_is_told(mirror: str, path: str, reason: str) -> None:
    """Endless data, a redirect and an error are each one clear error."""
    with pytest.raises(LogError, match=reason):
        HttpSource(mirror).fetch(path, 1000)


def test_slow_retrieval_of_a_log(mirror: str, writer: LogWriter) -> None:
    """A server that keeps the connection alive and takes too long over one file is given up on."""
    writer.append(made(3))
    hours = iter(range(0, 360_000, 3600))
    source = HttpSource(mirror, now=lambda: next(hours))
    with pytest.raises(LogUnreachableError, match="cannot be had: the server is too slow"):
        source.fetch("checkpoint", 1000)


@pytest.mark.parametrize("prefix", ["file:///etc", "https://", "ftp://a.example/"])
def test_a_log_is_on_the_web_or_in_a_folder(prefix: str) -> None:
    """A URL of another kind, or without a host, is refused."""
    with pytest.raises(LogUnreachableError, match="no URL of a log"):
        source_of(prefix)


def test_a_server_that_is_not_there_is_told() -> None:
    """A server that does not answer is one clear error, in the system's words alone."""
    with pytest.raises(LogUnreachableError, match=r"cannot be had: connection refused$"):
        HttpSource("http://127.0.0.1:1/").fetch("checkpoint", 10)


def test_odd_files_are_told(tmp_path: Path) -> None:
    """A folder or a pipe in a file's place is refused at once, and so is a file that is too long."""
    source = FolderSource(tmp_path)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "long").write_bytes(bytes(11))
    (tmp_path / "loop").symlink_to("loop")
    for name, reason in (
        ("folder", "not a regular"),
        ("pipe", "not a regular"),
        ("long", "more than 10"),
        ("loop", "cannot be read"),
    ):
        with pytest.raises(LogError, match=reason):
            source.fetch(name, 10)
    assert None is source.fetch("long/x", 10)


POLICY = Policy.loads(f'format = 1\nname = "bank"\nversion = 7\n[hosts."a.example"]\npins = ["sha256/{"A" * 43}="]\n')


def test_a_bundle_carries_its_proof(tmp_path: Path, writer: LogWriter, signer: NoteSigner) -> None:
    """A policy's entry names it without its pins, and its proof is checked without the log."""
    entry = pin_set_entry(POLICY)
    head = writer.append([*made(300), entry, b"later"])
    proof = LogProof.read(LogProof.make(FolderSource(tmp_path / "log"), signer.verifier, 300).write())
    assert head == proof.check(entry, signer.verifier)
    assert f'{{"digest":"{POLICY.digest}","format":1,"name":"bank","version":7}}'.encode() == entry
    with pytest.raises(InvalidProofError, match="leaf 300 is not in the tree"):
        proof.check(b"another policy", signer.verifier)
    with pytest.raises(InvalidProofError, match="entry 302 of a log of 302"):
        LogProof.make(FolderSource(tmp_path / "log"), signer.verifier, 302)


@given(st.binary(max_size=300) | st.binary(max_size=99).map(lambda rest: b"c2sp.org/tlog-proof@v1\nindex 1\n" + rest))
def test_any_octets_are_a_proof_or_refused(content: bytes) -> None:
    """Any octets are a proof in its one form, or refused with this room's own error."""
    try:
        proof = LogProof.read(content)
    except InvalidProofError:
        return
    assert content == proof.write()


def test_a_proof_is_bounded() -> None:
    """A proof of more hashes, or more octets, than any tree has is refused, and so is one in another form."""
    head = "c2sp.org/tlog-proof@v1\nindex 1\n"
    for text in (
        head + ("A" * 43 + "=\n") * 65 + "\n",
        "x" * 100_000,
        head + "A" * 42 + "B=\n\n",
        head.replace("1\n", "01\n\n"),
    ):
        with pytest.raises(InvalidProofError):
            LogProof.read(text.encode())
