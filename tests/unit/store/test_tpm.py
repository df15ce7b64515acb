"""A store's key in a TPM: sealed to it, and counted by it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from software_tpm import SoftwareTpm, needs_bindings, software_tpm

from pinscher.store import KeptKey, KeyUnavailableError, SealBrokenError, SealedStore, Tpm
from pinscher.store.tpm_device import Sealed, TpmDevice

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the TPM's software stack from writing to the terminal what the errors say."""
    monkeypatch.setenv("TSS2_LOG", "all+NONE")


@pytest.fixture
def machine() -> Iterator[SoftwareTpm]:
    """Return a TPM of this test's own."""
    with software_tpm() as made:
        yield made


@pytest.fixture
def vault(machine: SoftwareTpm, tmp_path: Path) -> Tpm:
    """Return the place of a key in that TPM."""
    return Tpm(str(tmp_path / "keys" / "store.tpm"), machine.interface)


def again(vault: Tpm) -> Tpm:
    """Return the place as another start of the program finds it: it remembers nothing."""
    return Tpm(vault.path, vault.interface)


def test_a_tpm_keeps_a_store(vault: Tpm, tmp_path: Path) -> None:
    """A store opens again with a key that a TPM sealed, and neither key nor floor can be read in the key's file."""
    assert None is vault.load()
    with SealedStore.open(tmp_path / "store", KeptKey(vault)) as store:
        store.write({"bundle": b"x"}, floor={"policy": (0, 7)})
    with SealedStore.open(tmp_path / "store", KeptKey(again(vault))) as store:
        assert (b"x", {"policy": (0, 7)}, vault.path) == (store.read("bundle"), store.floor, store.key_place)
    content = Path(vault.path).read_text()
    assert 0o600 == Path(vault.path).stat().st_mode & 0o777
    assert not any(part in content for part in (again(vault).load() or "", "policy", "made"))


def test_another_tpm_does_not_open_the_key(vault: Tpm, tmp_path: Path) -> None:
    """A store and its key's file that are copied to a machine with another TPM do not open there."""
    SealedStore.open(tmp_path / "store", KeptKey(vault)).close()
    with software_tpm() as other, pytest.raises(SealBrokenError, match="sealed by another TPM"):
        SealedStore.open(tmp_path / "store", KeptKey(Tpm(vault.path, other.interface)))


def test_an_older_copy_of_store_and_key_is_refused(vault: Tpm, tmp_path: Path) -> None:
    """Who restores the whole disk, the store together with its key's file, is found out by the TPM's counter."""

    def written(version: int) -> None:
        with SealedStore.open(tmp_path / "store", KeptKey(again(vault))) as store:
            store.write({"bundle": b"%d" % version}, floor={"policy": (0, version)})

    written(1)
    for name in ("store", "keys"):
        shutil.copytree(tmp_path / name, tmp_path / f"old {name}")
    written(2)
    for name in ("store", "keys"):
        shutil.rmtree(tmp_path / name)
        shutil.copytree(tmp_path / f"old {name}", tmp_path / name)
    with pytest.raises(SealBrokenError, match=r"an older copy, of count \d+: the TPM has counted to \d+"):
        SealedStore.open(tmp_path / "store", KeptKey(again(vault)))
    with pytest.raises(SealBrokenError, match="an older copy"):
        again(vault).save("anything")


def test_an_older_store_is_below_the_floor(vault: Tpm, tmp_path: Path) -> None:
    """Who restores the store alone is found out by the floor beside the key."""
    with SealedStore.open(tmp_path / "store", KeptKey(vault)) as store:
        store.write({}, floor={"policy": (0, 1)})
        shutil.copytree(tmp_path / "store", tmp_path / "old")
        store.write({}, floor={"policy": (0, 2)})
    shutil.rmtree(tmp_path / "store")
    (tmp_path / "old").rename(tmp_path / "store")
    with pytest.raises(SealBrokenError, match=r"older copy: its floor is policy:0\.1"):
        SealedStore.open(tmp_path / "store", KeptKey(again(vault)))


def test_a_removed_key_is_no_first_start(vault: Tpm, tmp_path: Path) -> None:
    """Who removes store and key is found out; the TPM's owner can begin anew, and the count goes on from where it was."""
    SealedStore.open(tmp_path / "store", KeptKey(vault)).close()
    kept = Path(vault.path).read_bytes()
    shutil.rmtree(tmp_path / "store")
    shutil.rmtree(tmp_path / "keys")
    with pytest.raises(SealBrokenError, match=rf"gone, and the TPM's counter remembers it(.|\n)*0x{vault.index:08x}"):
        SealedStore.open(tmp_path / "store", KeptKey(again(vault)))
    with TpmDevice.open(vault.interface, "here") as device:
        device.undefine(vault.index)
    SealedStore.open(tmp_path / "store", KeptKey(again(vault))).close()
    Path(vault.path).write_bytes(kept)
    with pytest.raises(SealBrokenError, match="older copy"):
        again(vault).load()


def test_a_tpm_that_is_switched_off_is_told(vault: Tpm, machine: SoftwareTpm, tmp_path: Path) -> None:
    """Without its TPM a store does not open, and nothing is made in its place; with it again it does."""
    SealedStore.open(tmp_path / "store", KeptKey(vault)).close()
    machine.stop()
    with pytest.raises(KeyUnavailableError, match=r"no TPM answers at 'swtpm:(.|\n)*group tss"):
        SealedStore.open(tmp_path / "store", KeptKey(again(vault)))
    machine.start()
    SealedStore.open(tmp_path / "store", KeptKey(again(vault))).close()


@needs_bindings
@pytest.mark.parametrize("interface", ["device:/dev/null/none", "nothing:here", ""])
def test_no_tpm_is_one_clear_error(tmp_path: Path, interface: str) -> None:
    """An address without a TPM is one error, and no key is made."""
    with pytest.raises(KeyUnavailableError, match="no TPM answers at"):
        Tpm(str(tmp_path / "keys" / "key"), interface).save("x")
    assert not (tmp_path / "keys" / "key").exists()


def test_without_the_package_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without tpm2-pytss the error says how to install it."""
    monkeypatch.setitem(sys.modules, "tpm2_pytss", None)
    with pytest.raises(KeyUnavailableError, match=r"pip install 'pinscher\[tpm\]'"):
        Tpm(str(tmp_path / "key")).load()


def test_a_counter_that_is_none_is_refused(vault: Tpm) -> None:
    """An index of another kind, which could be set to anything, does not stand in for the counter."""
    import tpm2_pytss as tss

    vault.save("one")
    with TpmDevice.open(vault.interface, "here") as device:
        device.undefine(vault.index)
    with tss.ESAPI(vault.interface) as context:
        ordinary = tss.TPMA_NV.AUTHREAD | tss.TPMA_NV.AUTHWRITE | tss.TPMA_NV.NO_DA
        public = tss.TPMS_NV_PUBLIC(nvIndex=vault.index, nameAlg=tss.TPM2_ALG.SHA256, attributes=ordinary, dataSize=8)
        handle = context.nv_define_space(b"", tss.TPM2B_NV_PUBLIC(public))
        context.nv_write(handle, bytes(8), 0, handle)
    for refused in (again(vault).load, lambda: again(vault).save("two")):
        with pytest.raises(SealBrokenError, match=f"index 0x{vault.index:08x} is not the counter of a store"):
            refused()


def test_a_counter_that_went_away_is_told(vault: Tpm) -> None:
    """A key's file without its counter is refused: nothing would tell that it is old."""
    vault.save("one")
    with TpmDevice.open(vault.interface, "here") as device:
        device.undefine(vault.index)
    with pytest.raises(SealBrokenError, match="the TPM's counter is gone"):
        again(vault).load()


def test_every_changed_character_is_found(vault: Tpm) -> None:
    """A key's file in which one character is another, or which is cut, never opens as something else."""
    vault.save("the text")
    path = Path(vault.path)
    whole = path.read_bytes()
    places = [*range(0, len(whole), 23), len(whole) - 1]
    for changed in [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in places] + [whole[:-9], b"", b"x"]:
        path.write_bytes(changed)
        with pytest.raises((SealBrokenError, KeyUnavailableError)):
            again(vault).load()
    path.write_bytes(whole)
    assert "the text" == again(vault).load()


def test_what_the_tpm_refuses_is_told(machine: SoftwareTpm) -> None:
    """What is no sealed key, or one of another length, is refused; so is a step of a counter that is not there."""
    with TpmDevice.open(machine.interface, "here") as device:
        for foreign in (Sealed(b"", b""), Sealed(b"\x00\x01a", b"\x00\x01a"), device.seal(bytes(16))):
            with pytest.raises(SealBrokenError, match="sealed by another TPM"):
                device.opened(foreign)
    with pytest.raises(KeyUnavailableError, match="the TPM refuses"):
        with TpmDevice.open(machine.interface, "here") as device:
            device.step(0x01800000)


def test_two_keys_of_one_tpm(vault: Tpm, tmp_path: Path) -> None:
    """Two files have two counters, and a file under another's name is refused."""
    other = Tpm(str(tmp_path / "keys" / "other.tpm"), vault.interface)
    assert vault.index != other.index
    vault.save("one")
    other.save("two")
    assert ("one", "two") == (again(vault).load(), again(other).load())
    moved = Tpm(str(tmp_path / "keys" / "moved.tpm"), vault.interface)
    shutil.copy(vault.path, moved.path)
    with pytest.raises(SealBrokenError, match="or the key's file comes from another place"):
        moved.load()
    assert "one" == Tpm(moved.path, vault.interface, vault.index).load()


@pytest.mark.parametrize("index", [0, 0x01800001, 0x01C00000, -2])
def test_an_index_that_is_not_the_owners(tmp_path: Path, index: int) -> None:
    """A counter's number is an even one of the owner's range."""
    with pytest.raises(ValueError, match="an even number from 0x01800000 to 0x01bffffe"):
        Tpm(str(tmp_path / "key"), index=index)


def test_killed_at_any_point(machine: SoftwareTpm, tmp_path: Path) -> None:
    """A writer that is killed at any call to the disk or to the TPM leaves the old key's file or the new one."""
    program = Path(__file__).with_name("dying_with_tpm.py")
    ran = subprocess.run(
        [sys.executable, program, tmp_path, machine.interface], capture_output=True, text=True, check=False, timeout=120
    )
    assert (0, "") == (ran.returncode, ran.stderr)
    told = json.loads(ran.stdout)
    assert [] == told["wrong"]
    assert 100 <= told["deaths"], told
