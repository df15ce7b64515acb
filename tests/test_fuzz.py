"""Every fuzz target holds on its seeds, on what Hypothesis makes, and breaks when its invariant does."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FUZZ = Path(__file__).parent.parent / "fuzz"
TARGETS = sorted(path.stem for path in FUZZ.glob("fuzz_*.py"))


def load(name: str) -> Any:
    """Load a file of the fuzz room as it loads itself: with its room on the path."""
    place = importlib.util.spec_from_file_location(f"fuzz_room_{name}", FUZZ / f"{name}.py")
    assert place is not None
    assert place.loader is not None
    module = importlib.util.module_from_spec(place)
    sys.path.insert(0, str(FUZZ))
    try:
        place.loader.exec_module(module)
    finally:
        sys.path.remove(str(FUZZ))
    return module


def target(name: str) -> tuple[Callable[[bytes], None], Sequence[bytes]]:
    """Return the function and the seeds of a fuzz target."""
    module = load(name)
    fuzz = module.fuzz if hasattr(module, "fuzz") else module.one_input
    return fuzz, module.SEEDS if hasattr(module, "SEEDS") else module.seeds()


def test_every_parser_has_a_target() -> None:
    """Certificates, pins, hosts, policies and foreign files each have a fuzz target."""
    assert {"fuzz_certificate", "fuzz_formats", "fuzz_host", "fuzz_pin", "fuzz_policy"} <= set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds_on_its_seeds_and_on_any_bytes(name: str) -> None:
    """A target takes its own seeds, their mutations, and whatever bytes Hypothesis makes of them."""
    fuzz, seeds = target(name)
    count, _ = load("runner").mutate(fuzz, seeds, 0.3)
    assert count >= len(seeds) > 0

    @settings(max_examples=60, deadline=None)
    @given(
        st.binary(max_size=300)
        | st.sampled_from(seeds).flatmap(lambda seed: st.binary().map(lambda end: seed[:-3] + end))
    )
    def holds(data: bytes) -> None:
        fuzz(data)

    holds()


def test_a_mutation_reaches_past_the_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    """The mutation loop finds an octet that no seed has, and prints the input that broke the target."""

    def fuzz(data: bytes) -> None:
        if b"\xff" in data:
            raise ValueError("found")

    with pytest.raises(ValueError, match="found"):
        load("runner").mutate(fuzz, [b"seed"], 30)
    assert "broken by b'" in capsys.readouterr().err


def test_mutated_policies_are_policies_often_enough() -> None:
    """The mutations of a policy get past its parser in one case of a hundred at least, and use the words they are given."""
    module, runner = load("fuzz_policy"), load("runner")
    count, accepted = runner.mutate(module.fuzz, module.seeds(), 0.5, words=[b"# word"], reaches=module.is_policy)
    assert count < 100 * accepted
    chance = random.Random(1)
    assert any(b"# word" in runner.mutated(chance, module.seeds(), [b"# word"]) for _ in range(300))


def test_no_target_has_a_loop_of_its_own() -> None:
    """Every target hands its function to the one runner."""
    texts = {name: (FUZZ / f"{name}.py").read_text(encoding="utf-8") for name in TARGETS}
    assert [] == [
        name for name, text in texts.items() if "from runner import run" not in text or "import atheris" in text
    ]


def test_a_target_runs_from_the_command_line() -> None:
    """'python fuzz/fuzz_host.py SECONDS' ends by itself and says how many inputs it tried."""
    if importlib.util.find_spec("atheris") is not None:
        pytest.skip("atheris reads other options")
    command = [sys.executable, str(FUZZ / "fuzz_host.py"), "0.2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.endswith(" inputs in 0.2 seconds, none broke it\n")
