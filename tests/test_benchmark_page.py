"""The page of benchmarks, held against the raw data of the run that it is made from."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

HERE = Path(__file__).parent.parent
TOOLS = HERE / "tools"
FOLDER = HERE / "docs" / "benchmarks"
HEAD = {
    "date": "2026-01-02", "machine": "a machine", "system": "Linux", "python": "3.11", "openssl": "OpenSSL 3",
    "versions": {"pinscher": "1"}, "load": 0.1, "short": False, "rooms": ["connections"],
}  # fmt: skip
PLAIN = {"room": "connections", "group": "handshakes", "unit": "s", "limit": 1.02}
LINES: list[dict[str, Any]] = [
    {"room": "connections", "kept": True, "said": ["handshakes", "  plain"]},
    PLAIN | {"name": "plain", "figures": [1.0] * 9, "cpu": [1.0] * 9},
    PLAIN | {"name": "plain again", "figures": [1.0] * 9, "cpu": [1.0] * 9},
    PLAIN | {"name": "pinned", "figures": [1.5] * 9, "cpu": [1.25] * 9},
    {"room": "costs", "group": "costs", "name": "a check", "unit": "us", "figures": [1.0, 3.0, 9.0], "limit": 2.0},
    {"room": "growth", "group": "reports", "name": "a report", "unit": "ms", "figures": [2.0], "at": 10},
    {"room": "growth", "group": "reports", "name": "a report", "unit": "ms", "figures": [4.0], "at": 20},
]


def _tool() -> Any:
    place = importlib.util.spec_from_file_location("tool_benchmark_page", TOOLS / "benchmark_page.py")
    assert place is not None
    assert place.loader is not None
    module = importlib.util.module_from_spec(place)
    sys.path.insert(0, str(TOOLS))
    try:
        place.loader.exec_module(module)
    finally:
        sys.path.remove(str(TOOLS))
    return module


def test_the_page_is_what_the_raw_data_make() -> None:
    """The page and each plot are, octet by octet, what the tool makes of the raw data that are kept beside them."""
    checked = subprocess.run(
        [sys.executable, TOOLS / "benchmark_page.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (0, "the page of benchmarks is current\n") == (checked.returncode, checked.stdout), checked.stderr


def test_the_raw_data_say_what_was_measured_on() -> None:
    """The raw data begin with the date, the machine and the versions, and every line after that has its figures."""
    head, *lines = [json.loads(line) for line in (FOLDER / "raw.jsonl").read_text(encoding="utf-8").splitlines()]
    assert set(HEAD) <= set(head)
    assert all("said" in line or len(line["figures"]) >= 1 for line in lines)
    assert {"policy size", "chain length", "endpoints", "reports"} <= {line.get("group") for line in lines}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.svg")), ids=lambda path: path.name)
def test_a_plot_is_whole_and_loads_nothing(path: Path) -> None:
    """A plot is XML with a title, shows something, and names no address but that of SVG itself."""
    text = path.read_text(encoding="utf-8")
    drawn = ET.fromstring(text)  # ours, as it is committed
    assert "title" in {child.tag.rpartition("}")[2] for child in drawn}
    assert "<circle " in text
    assert ["http://www.w3.org/2000/svg"] == re.findall(r"https?://[^\"]+", text)
    assert f"](benchmarks/{path.name})" in (HERE / "docs" / "benchmarks.md").read_text(encoding="utf-8")


def test_the_page_tells_ratios_and_limits_as_they_are() -> None:
    """A ratio is that of the medians, its processor's time stands beside it, and a limit that is not kept is bold."""
    page = _tool().files(HEAD, LINES)["benchmarks.md"]
    assert "| handshakes | pinned | 1.500 | 1.500 to 1.500 | 1.250 | 1.02 |\n" in page
    assert "| handshakes | plain again | 1.000 | 1.000 to 1.000 | 1.000 |  |\n" in page
    assert "| costs: a check | 3 us | 2 us | **above** |\n" in page
    assert "| a report | 2 ms | 4 ms |\n" in page
    assert "Measured on 2026-01-02: a machine; Linux; Python 3.11; OpenSSL 3; pinscher 1.\n" in page
    assert "short run" not in page


def test_a_short_run_is_called_one() -> None:
    """What was measured in a tenth of the rounds is called that at the top of the page."""
    page = _tool().files(HEAD | {"short": True}, LINES)["benchmarks.md"]
    assert "**This was a short run of connections" in page.split("## Method")[0]


def test_a_ratio_beyond_the_axis_is_drawn_at_its_end() -> None:
    """A point beyond the axis stands at its end, and its figure is told all the same."""
    drawn = _tool().files(HEAD, LINES)["benchmarks/ratios.svg"]
    assert 'cx="790.0"' in drawn
    assert ">1.500</text>" in drawn


def test_the_same_data_give_the_same_octets() -> None:
    """Nothing on the page depends on the day or on chance."""
    assert _tool().files(HEAD, LINES) == _tool().files(HEAD, LINES)
