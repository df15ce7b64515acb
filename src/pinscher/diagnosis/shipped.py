"""The dated data files that ship with this room; reading one is the only thing here that touches the disk."""

from __future__ import annotations

from typing import Any


def read_shipped(name: str) -> Any:
    """Read a data file of this package; its readers keep what they made of it."""
    import json  # noqa: PLC0415  (only an explained refusal pays for these two)
    from importlib import resources  # noqa: PLC0415

    return json.loads(resources.files("pinscher.diagnosis").joinpath("data", name).read_text(encoding="ascii"))
