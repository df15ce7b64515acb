"""The sealed store: what it keeps, and what it refuses."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pinscher.store import (
    KeptKey,
    KeyFile,
    Passphrase,
    ProvidedKey,
    SealBrokenError,
    SealedStore,
    StoreUnavailableError,
    UnsafeFileError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

EACH_IN_ITS_FOLDER = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _again(store: SealedStore, custody: KeptKey) -> SealedStore:
    return SealedStore.open(store.path, custody)


def _files(store: SealedStore) -> list[Path]:
    return sorted(path for path in Path(store.path).iterdir() if path.name != "lock")


def test_entries_survive_the_process(store: SealedStore, custody: KeptKey) -> None:
    """What was written is read by whoever opens the store with its key, an empty entry too."""
    with _again(store, custody) as again:
        assert (("bundle", "tuf/root"), b"a policy", b"") == (
            again.names(),
            again.read("bundle"),
            again.read("tuf/root"),
        )
        assert ({"policy": (0, 3)}, 8, None) == (again.floor, again.length("bundle"), again.length("none"))
        assert 2 == again.check()


def test_an_entry_that_is_not_there_is_none(store: SealedStore) -> None:
    """An entry of an unknown name is None, and so is one that was taken out."""
    store.write({"bundle": None})
    assert (None, None, ("tuf/root",)) == (store.read("none"), store.read("bundle"), store.names())


def test_a_write_leaves_nothing_behind(store: SealedStore) -> None:
    """After a write the folder holds the index, the lock and one file for each entry."""
    for number in range(5):
        store.write({"bundle": bytes([number])})
    assert 1 + len(store.names()) == len(_files(store))


def test_nothing_is_in_clear(store: SealedStore) -> None:
    """No file of the store holds an entry's name or content."""
    for path in _files(store):
        content = path.read_bytes()
        assert b"policy" not in content
        assert b"bundle" not in content


def test_files_are_their_owners_alone(store: SealedStore) -> None:
    """The folder, every file in it and the key are closed to everybody else."""
    key = Path(store.path).parent / "keys" / "store.key"
    modes = {stat.S_IMODE(path.stat().st_mode) for path in [*Path(store.path).iterdir(), key]}
    assert ({0o600}, 0o700) == (modes, stat.S_IMODE(Path(store.path).stat().st_mode))


def test_the_floor_never_falls(store: SealedStore, custody: KeptKey) -> None:
    """A lower floor changes nothing, a higher epoch begins anew, and the embedded floor counts."""
    store.write({}, floor={"policy": (0, 1), "root": (2,)})
    assert {"policy": (0, 3), "root": (2,)} == store.floor
    store.write({}, floor={"policy": (1, 1)})
    assert {"policy": (1, 1), "root": (2,)} == store.floor
    with SealedStore.open(store.path, custody, embedded_floor={"policy": (1, 9), "root": (1,)}) as again:
        assert {"policy": (1, 9), "root": (2,)} == again.floor


@pytest.mark.parametrize("name", ["", "../up", "a b", "x" * 201, "\n", "é"])
def test_odd_names_are_refused(store: SealedStore, name: str) -> None:
    """A name that could mean something to a file system or a terminal is refused."""
    with pytest.raises(ValueError, match="an entry called"):
        store.write({name: b""})


def test_what_is_too_much_is_refused(store: SealedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries have a greatest size and number, and a floor a form; a refused write changes nothing."""
    monkeypatch.setattr("pinscher.store.sealed.LARGEST_ENTRY", 10)
    monkeypatch.setattr("pinscher.store.sealed.MOST_ENTRIES", 3)
    with pytest.raises(ValueError, match="11 octets, expected at most 10"):
        store.write({"big": bytes(11)})
    with pytest.raises(ValueError, match="more than 3 entries"):
        store.write({"c": b"", "d": b""})
    with pytest.raises(ValueError, match="a floor has at most"):
        store.write({}, floor={"Policy": (1,)})
    assert (("bundle", "tuf/root"), 2) == (store.names(), store.generation)


@EACH_IN_ITS_FOLDER
@given(data=st.data())
def test_any_flipped_bit_breaks_the_seal(store: SealedStore, custody: KeptKey, data: st.DataObject) -> None:
    """Any bit of any file of the store, when flipped, is a broken seal."""
    path = data.draw(st.sampled_from(_files(store)))
    _changed(store, custody, path, lambda content: _flipped(content, data.draw(st.integers(0, len(content) * 8 - 1))))


@EACH_IN_ITS_FOLDER
@given(data=st.data())
def test_any_truncation_breaks_the_seal(store: SealedStore, custody: KeptKey, data: st.DataObject) -> None:
    """Any file of the store, cut anywhere, is a broken seal."""
    path = data.draw(st.sampled_from(_files(store)))
    _changed(store, custody, path, lambda content: content[: data.draw(st.integers(0, len(content) - 1))])


@EACH_IN_ITS_FOLDER
@given(data=st.data(), more=st.binary(min_size=1, max_size=100))
def test_any_extension_breaks_the_seal(store: SealedStore, custody: KeptKey, data: st.DataObject, more: bytes) -> None:
    """Any file of the store, made longer, is a broken seal."""
    path = data.draw(st.sampled_from(_files(store)))
    _changed(store, custody, path, lambda content: content + more)


@EACH_IN_ITS_FOLDER
@given(content=st.binary(max_size=400))
def test_any_octets_for_an_index_break_the_seal(store: SealedStore, custody: KeptKey, content: bytes) -> None:
    """Whatever octets stand in the index's place, the answer is a broken seal and no other error."""
    _changed(store, custody, Path(store.path) / "index", lambda _: content)


def _flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _changed(store: SealedStore, custody: KeptKey, path: Path, change: Callable[[bytes], bytes]) -> None:
    genuine = path.read_bytes()
    path.write_bytes(change(genuine))
    try:
        with pytest.raises(SealBrokenError, match="remedy: "), _again(store, custody) as again:
            again.check()
    finally:
        path.write_bytes(genuine)


def test_every_bit_of_a_header_is_authenticated(store: SealedStore, custody: KeptKey) -> None:
    """Each of the 1024 bits of the index's header, when flipped, is a broken seal."""
    path = Path(store.path) / "index"
    for bit in range(1024):
        _changed(store, custody, path, lambda content, bit=bit: _flipped(content, bit))  # type: ignore[misc]


def test_exchanged_entries_break_the_seal(store: SealedStore, custody: KeptKey) -> None:
    """Two genuine entries in each other's place are a broken seal."""
    one, other = (path for path in _files(store) if path.name != "index")
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    with _again(store, custody) as again, pytest.raises(SealBrokenError, match="another than the index says"):
        again.check()


def test_a_removed_entry_breaks_the_seal(store: SealedStore, custody: KeptKey) -> None:
    """An entry's file that is gone is a broken seal, and not an absent entry."""
    next(path for path in _files(store) if path.name != "index").unlink()
    with _again(store, custody) as again, pytest.raises(SealBrokenError, match="is gone"):
        again.check()


def test_rollback_by_an_older_sealed_copy(store: SealedStore, custody: KeptKey, tmp_path: Path) -> None:
    """An older genuine copy of the whole store is told by the floor beside the key."""
    shutil.copytree(store.path, tmp_path / "copy")
    store.write({"bundle": b"a newer policy"}, floor={"policy": (0, 4)})
    shutil.rmtree(store.path)
    shutil.copytree(tmp_path / "copy", store.path)
    with pytest.raises(SealBrokenError, match=r"an older copy: its floor is policy:0\.3, and beside .* policy:0\.4"):
        _again(store, custody)


def test_rollback_while_running(store: SealedStore) -> None:
    """A process that has seen a newer index takes no older one, whatever the floor."""
    index = Path(store.path) / "index"
    older = index.read_bytes()
    store.write({"bundle": b"a newer policy"})
    index.write_bytes(older)
    with pytest.raises(SealBrokenError, match="generation 2, after 3"):
        store.read("bundle")


def test_rollback_of_a_store_without_a_counter_is_not_seen(tmp_path: Path) -> None:
    """Without a counter beside the key an older copy of the whole store opens, down to the embedded floor: documented."""
    custody = ProvidedKey(bytes(32))
    with SealedStore.open(tmp_path / "store", custody) as store:
        store.write({}, floor={"policy": (0, 3)})
        shutil.copytree(tmp_path / "store", tmp_path / "copy")
        store.write({}, floor={"policy": (0, 9)})
    shutil.rmtree(tmp_path / "store")
    (tmp_path / "copy").rename(tmp_path / "store")
    with SealedStore.open(tmp_path / "store", custody, embedded_floor={"policy": (0, 5)}) as store:
        assert {"policy": (0, 5)} == store.floor


def test_a_deleted_store_is_missed(store: SealedStore, custody: KeptKey) -> None:
    """A key that was made for a store that is not there is a broken seal, the folder gone or empty."""
    shutil.rmtree(store.path)
    for _ in range(2):
        with pytest.raises(SealBrokenError, match="the store is gone, and its key"):
            _again(store, custody)
    with pytest.raises(SealBrokenError, match="the store is gone, and its key"):
        SealedStore.open_existing(store.path, custody)


def test_an_index_that_goes_away_is_missed(store: SealedStore) -> None:
    """An open store whose index is removed is broken."""
    (Path(store.path) / "index").unlink()
    with pytest.raises(SealBrokenError, match="the index is gone"):
        store.names()


def test_a_store_copied_without_its_key_is_foreign(store: SealedStore, tmp_path: Path) -> None:
    """A store that lies where its key does not is a broken seal, and so is one with another store's key."""
    with pytest.raises(SealBrokenError, match="its key does not"):
        SealedStore.open(store.path, KeptKey(KeyFile(str(tmp_path / "elsewhere" / "key"))))
    other = KeptKey(KeyFile(str(tmp_path / "other" / "key")))
    with SealedStore.open(tmp_path / "second", other):
        pass
    with pytest.raises(SealBrokenError, match="changed since it was sealed, or sealed with another key"):
        SealedStore.open(store.path, other)


def test_an_index_of_another_store_of_the_same_key_is_foreign(tmp_path: Path) -> None:
    """A genuine index of a second store, sealed with the same key, does not fit into a store that is open."""
    custody = ProvidedKey(bytes(32))
    with SealedStore.open(tmp_path / "one", custody) as one, SealedStore.open(tmp_path / "two", custody) as two:
        shutil.copy(Path(two.path) / "index", Path(one.path) / "index")
        with pytest.raises(SealBrokenError, match="another store's"):
            one.names()


def test_a_store_of_another_machine_is_foreign(tmp_path: Path) -> None:
    """A store that was copied with its key or passphrase is told by the machine that it was sealed on."""
    custody = ProvidedKey(bytes(32))
    with SealedStore.open(tmp_path / "store", custody, identity=lambda: b"here") as store:
        store.write({"bundle": b"x"})
    for other in (b"there", b""):
        with pytest.raises(SealBrokenError, match="sealed on another machine"):
            SealedStore.open(tmp_path / "store", custody, identity=lambda other=other: other)  # type: ignore[misc]


def test_an_unbound_store_moves(tmp_path: Path) -> None:
    """A store that was made where no machine can be told from another opens elsewhere: documented."""
    custody = ProvidedKey(bytes(32))
    with SealedStore.open(tmp_path / "store", custody, identity=lambda: b"") as store:
        store.write({"bundle": b"x"})
    with SealedStore.open(tmp_path / "store", custody, identity=lambda: b"there") as store:
        assert b"x" == store.read("bundle")


def test_a_wrong_passphrase_is_a_broken_seal(tmp_path: Path) -> None:
    """Another passphrase opens nothing, a store without one asks for none, and the right one is asked for once."""
    asked: list[str] = []

    def ask() -> str:
        asked.append("?")
        return "right"

    little = {"memory": 8 * 1024, "passes": 1, "lanes": 1}
    custody = Passphrase(ask, **little)
    with SealedStore.open(tmp_path / "store", custody) as store:
        store.write({"bundle": b"x"})
    with SealedStore.open(tmp_path / "store", custody) as store:
        assert (b"x", ["?"]) == (store.read("bundle"), asked)
    with pytest.raises(SealBrokenError, match="another key"):
        SealedStore.open(tmp_path / "store", Passphrase(lambda: "wrong", **little))
    with SealedStore.open(tmp_path / "keyed", ProvidedKey(bytes(32))):
        pass
    with pytest.raises(SealBrokenError, match="not sealed with a passphrase"):
        SealedStore.open(tmp_path / "keyed", custody)


def test_starting_over_keeps_the_floor(store: SealedStore, custody: KeptKey) -> None:
    """A store that is made anew is empty, has another key, and the floor that stood beside the key before."""
    before = Path(custody.place).read_text().split()[-1]
    (Path(store.path) / "index").write_bytes(b"broken")
    with SealedStore.start_over(store.path, custody, embedded_floor={"root": (1,)}) as anew:
        assert ((), {"policy": (0, 3), "root": (1,)}) == (anew.names(), anew.floor)
        assert before != Path(custody.place).read_text().split()[-1]
        assert ["index"] == [path.name for path in _files(anew)]


def test_starting_over_needs_its_key(tmp_path: Path) -> None:
    """Where the key cannot be kept nothing is removed."""
    (tmp_path / "keys").mkdir(mode=0o700)
    (tmp_path / "keys" / "key").symlink_to("elsewhere")
    custody = KeptKey(KeyFile(str(tmp_path / "keys" / "key")))
    with pytest.raises(StoreUnavailableError):
        SealedStore.start_over(tmp_path / "store", custody)


def test_no_store_is_no_store(tmp_path: Path, custody: KeptKey) -> None:
    """To look for a store makes none, where there is no folder and where there is an empty one."""
    for _ in range(2):
        assert None is SealedStore.open_existing(tmp_path / "store", custody)
        (tmp_path / "store").mkdir(mode=0o700, exist_ok=True)
    assert [] == list((tmp_path / "store").iterdir())
    with SealedStore.open(tmp_path / "store", custody):
        pass
    found = SealedStore.open_existing(tmp_path / "store", custody)
    assert found is not None
    found.close()


@pytest.mark.parametrize(("name", "mode"), [(".", 0o750), ("index", 0o640), ("index", 0o602)])
def test_what_others_can_reach_is_refused(store: SealedStore, custody: KeptKey, name: str, mode: int) -> None:
    """A folder or file that others can read or write is refused by its descriptor's mode, with the way out."""
    (Path(store.path) / name).chmod(mode)
    with pytest.raises(UnsafeFileError, match=f"{mode:04o}.*\n  remedy: .*chmod go-rwx"):
        _again(store, custody)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("name", [".", "index"])
def test_what_others_own_is_refused(store: SealedStore, custody: KeptKey, name: str) -> None:
    """A folder or file of another user is refused."""
    os.chown(Path(store.path) / name, 12345, -1)
    with pytest.raises(UnsafeFileError, match="owned by user 12345"):
        _again(store, custody)


def test_a_symbolic_link_is_not_followed(store: SealedStore, custody: KeptKey, tmp_path: Path) -> None:
    """Neither the folder nor a file of the store may be a symbolic link."""
    index = Path(store.path) / "index"
    index.rename(tmp_path / "moved")
    index.symlink_to(tmp_path / "moved")
    with pytest.raises(StoreUnavailableError, match="cannot read"):
        _again(store, custody)
    (tmp_path / "link").symlink_to(store.path)
    with pytest.raises(StoreUnavailableError, match="cannot open the folder"):
        SealedStore.open(tmp_path / "link", custody)


def test_a_pipe_in_place_of_a_file_does_not_hang(store: SealedStore, custody: KeptKey) -> None:
    """A named pipe in the index's place is refused at once."""
    index = Path(store.path) / "index"
    index.unlink()
    os.mkfifo(index, 0o600)
    with pytest.raises(UnsafeFileError, match="neither a regular file nor a folder"):
        _again(store, custody)


def test_a_folder_exchanged_by_another_does_not_mislead(store: SealedStore, tmp_path: Path) -> None:
    """An open store stays in the folder that was checked, when its path names another one by now."""
    Path(store.path).rename(tmp_path / "moved")
    Path(store.path).mkdir(mode=0o700)
    assert b"a policy" == store.read("bundle")


def test_a_folder_without_a_parent_is_told(tmp_path: Path, custody: KeptKey) -> None:
    """A store whose folder cannot be made is one clear error."""
    with pytest.raises(StoreUnavailableError, match=r"cannot make the folder \(no such file or directory\)"):
        SealedStore.open(tmp_path / "none" / "store", custody)


def test_a_lock_that_is_held_is_told(store: SealedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that does not get the lock in time says so, and has changed nothing."""
    import filelock

    monkeypatch.setattr("pinscher.store.sealed._LOCK_SECONDS", 0.01)
    with filelock.FileLock(Path(store.path) / "lock"), pytest.raises(StoreUnavailableError, match="the lock"):
        store.write({"bundle": b"y"})
    assert b"a policy" == store.read("bundle")


def test_a_full_disk_changes_nothing(store: SealedStore) -> None:
    """A write that the disk refuses is a clear error; what was there before is there, and nothing beside it."""
    import resource

    before = _files(store)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    import signal

    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(StoreUnavailableError, match="cannot write"):
            store.write({"bundle": bytes(5000)})
        with pytest.raises(StoreUnavailableError, match="cannot write"):
            store.write({f"entry-{number}": b"" for number in range(40)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, old)
    assert (b"a policy", 2) == (store.read("bundle"), store.generation)
    store.write({})
    assert len(before) == len(_files(store))


def test_readers_see_writers(store: SealedStore, custody: KeptKey) -> None:
    """A second handle reads what the first one wrote after both were opened, and their writes do not undo each other."""
    with _again(store, custody) as other:
        store.write({"bundle": b"newer"})
        assert b"newer" == other.read("bundle")
        other.write({"report/1": b"r"})
        assert (b"newer", b"r") == (store.read("bundle"), store.read("report/1"))


def test_readers_and_writers_at_once(store: SealedStore, custody: KeptKey) -> None:
    """Threads that read while others write see whole entries of one of the writes, never a broken seal."""
    from concurrent.futures import ThreadPoolExecutor

    contents = [bytes([number]) * 2000 for number in range(20)]

    def write(content: bytes) -> None:
        with _again(store, custody) as own:
            own.write({"bundle": content})

    def read(_: int) -> bytes | None:
        with _again(store, custody) as own:
            return own.read("bundle")

    store.write({"bundle": contents[0]})
    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(write, content) for content in contents]
        seen = set(pool.map(read, range(100)))
        for done in writing:
            done.result()
    assert seen <= set(contents)
    assert 23 == store.generation


def test_threads_that_share_a_store_do_not_take_each_other_for_an_attack(
    store: SealedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index that one thread read before another thread's write is no older copy: the write waits for its turn."""
    import threading

    read, writers = store._folder.read, []

    def slow(name: str, *, limit: int) -> bytes | None:
        content = read(name, limit=limit)
        if not writers:
            writers.append(threading.Thread(target=store.write, args=({"bundle": b"newer"},)))
            writers[0].start()
            # A writer that takes no turn is done by then.
            writers[0].join(0.3)
        return content

    monkeypatch.setattr(store._folder, "read", slow)
    assert store.read("bundle") in {b"a policy", b"newer"}
    writers[0].join()
    assert (b"newer", 3) == (store.read("bundle"), store.generation)
