"""How a program of the tests dies: at one of its calls that change the disk, as if its machine had gone down."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def die() -> None:
    """Die as a process does when its machine's patience ends."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm_calls(point: int, names: Sequence[str]) -> None:
    """Kill this process at a counted call that reaches the disk; every call has three points."""
    seen = 0

    def armed(call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def counted(*given: Any, **named: Any) -> Any:
            nonlocal seen
            seen += 3
            if seen - 2 == point:
                die()
            if seen - 1 == point and name == "write":
                call(given[0], given[1][: len(given[1]) // 2])
                die()
            try:
                return call(*given, **named)
            finally:
                if seen in (point, point + 1):
                    die()

        return counted

    for name in names:
        setattr(os, name, armed(getattr(os, name), name))
