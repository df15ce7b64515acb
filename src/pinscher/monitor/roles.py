"""What one process of a monitor does; several processes with one database do together what one does alone."""

from __future__ import annotations

import enum


class ProcessRole(enum.Enum):
    """The part that a process takes."""

    ALL = "all"
    COLLECTOR = "collector"
    PROBER = "prober"
    WEB = "web"

    @property
    def is_collecting(self) -> bool:
        """Whether it takes reports and heartbeats, and stores those that any collector took."""
        return self in (ProcessRole.ALL, ProcessRole.COLLECTOR)

    @property
    def is_probing(self) -> bool:
        """Whether it looks at endpoints."""
        return self in (ProcessRole.ALL, ProcessRole.PROBER)

    @property
    def is_showing(self) -> bool:
        """Whether it has the interface, groups reports, listens for silence and removes what is old."""
        return self in (ProcessRole.ALL, ProcessRole.WEB)
