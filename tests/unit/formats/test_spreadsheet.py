"""The table for people; the rules are those at the top of ``formats/spreadsheet.py``."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
from worlds import AT, LEAVES, Chain, Oracle, hold_always, host_table, policy_of

from pinscher.formats import FORMATS, Choices, UnreadableFileError

if TYPE_CHECKING:
    from datetime import datetime

from datetime import datetime

CSV = FORMATS["csv"]


def reach(pattern: str, host: str) -> tuple[int, int] | None:
    """Return how closely a pattern reaches a host, the closer the greater, or None."""
    stars, _dot, name = pattern.partition(".") if pattern.lstrip("'").startswith("*") else ("", "", pattern)
    if not stars:
        return (999, 0) if host == name else None
    if stars == "**" and host == name:
        return (998, 0)
    if not host.endswith("." + name):
        return None
    depth = host.removesuffix("." + name).count(".") + 1
    return (len(name), 1 if stars == "*" else 0) if stars == "**" or depth == 1 else None


def oracle(written: bytes) -> Oracle:
    """Judge as a person reads the table: the most specific host, then denied keys, expiry, pins and the mode."""
    rows = list(csv.DictReader(io.StringIO(written.decode())))
    others = next(row["use"] for row in rows if row["host"] == "(any other)")

    def decide(host: str, chain: Chain, at: datetime) -> bool:
        matching = {row["host"]: reach(row["host"], host) for row in rows[1:] if reach(row["host"], host)}
        if not matching:
            return others == "allow"
        entry = [row for row in rows if row["host"] == max(matching, key=lambda one: matching[one])]
        if entry[0]["use"] == "unpinned" or entry[0]["mode"] == "report-only":
            return True
        is_expired = bool(entry[0]["expires"]) and at > datetime.fromisoformat(entry[0]["expires"])
        if is_expired and entry[0]["on-expiry"] == "report":
            return True
        shown = {str(one.pin) for one in chain} | {str(one.certificate_pin) for one in chain}
        if any(row["pin"] in shown for row in entry if row["use"] == "denied"):
            return False
        if is_expired and entry[0]["on-expiry"] == "fail":
            return False
        return any(row["pin"] in shown for row in entry if row["use"] in ("pin", "backup"))

    return decide


def test_csv_decides_as_the_policy() -> None:
    """A written table, the policy read from it and that one's table decide as the policy, and nothing is refused."""
    hold_always(CSV, oracle, Choices(AT), examples=60)


def test_csv_cell_is_never_a_formula(choices: Choices) -> None:
    """A note that a spreadsheet could run has an apostrophe in front, and comes back as it was."""
    wanted = policy_of(host_table("bank.com", 'note = "=HYPERLINK(1)"'), host_table("shop.org", '''note = "'x"'''))
    written = CSV.write(wanted, choices)
    assert b",'=HYPERLINK(1)" in written
    assert {"=HYPERLINK(1)", "'x"} == {entry.note for entry in CSV.read(written, choices).policy.hosts}


HEAD = "host,use,pin,key,role,mode,report-only-since,expires,on-expiry,note\n"
PIN = str(LEAVES[0].pin)


@pytest.mark.parametrize(
    "rows",
    [
        "",
        "bank.com,pin\n",
        "bank.com,pin,sha256/AAAA,,,,,,,\n",
        f"bank.com,trust,{PIN},,,,,,,\n",
        f"bank.com,pin,{PIN},k,boss,,,,,\n",
        f"bank.com,pin,{PIN},bad key,,,,,,\n",
        f"bank.com,pin,{PIN},,,,,,,\nbank.com,pin,{LEAVES[1].pin},,,report-only,2026-01-01,,,\n",
        f"bank.com,pin,{PIN},,,sometimes,,,,\n",
        f"bank.com,pin,{PIN},,,,,tomorrow,,\n",
        f"bank.com,pin,{PIN},,,,,,,\nbank.com,unpinned,,,,,,,,x\n",
        "bank.com,unpinned,,,,,,,,x\n",
        f"bank.com,pin,{PIN},,,,,,,\n(any other),maybe,,,,,,,,\n",
        f"bank.com,pin,{PIN},,,,,,,\nBANK.com,pin,{PIN},,,,,,,\n",
        f'bank.com,pin,"{PIN}",x"\n',
        f"a,pin,{PIN},k,,,,,,\nb,pin,{LEAVES[1].pin},k,,,,,,\n",
    ],
)
def test_csv_hostile_table_is_one_clear_error(rows: str, choices: Choices) -> None:
    """A table that contradicts itself or misses a cell is refused with its line."""
    with pytest.raises(UnreadableFileError):
        CSV.read((HEAD + rows).encode(), choices)
