"""
Reports of violations and heartbeats: what a client tells those who keep its pins, without ever waiting for it.

From a verdict to a collector: ``Reporter`` takes verdicts and never blocks; a ``Spool`` keeps what is to be told
through crashes; a ``Channel`` carries it over a context of its own, and only its answer lets a report go.
"""

from __future__ import annotations

from pinscher.reports.addresses import PrivateAddressError
from pinscher.reports.alarm import Alarm, alarm_report
from pinscher.reports.channel import Channel, ChannelRefusedError, DeliveryError, Kind
from pinscher.reports.heartbeat import Heartbeat, HostCount, Install, Pulse
from pinscher.reports.reporter import Reporter
from pinscher.reports.sender import Sender
from pinscher.reports.spool import Item, Spool, Vault
from pinscher.reports.vault import FolderLock, FolderVault, MemoryVault, VaultBusyError, VaultError
from pinscher.reports.violation import Judged, ViolationReport, report_of
from pinscher.reports.wire import ReportError, read_heartbeat, read_report, write_heartbeat, write_report

__all__ = [
    "Alarm",
    "Channel",
    "ChannelRefusedError",
    "DeliveryError",
    "FolderLock",
    "FolderVault",
    "Heartbeat",
    "HostCount",
    "Install",
    "Item",
    "Judged",
    "Kind",
    "MemoryVault",
    "PrivateAddressError",
    "Pulse",
    "ReportError",
    "Reporter",
    "Sender",
    "Spool",
    "Vault",
    "VaultBusyError",
    "VaultError",
    "ViolationReport",
    "alarm_report",
    "read_heartbeat",
    "read_report",
    "report_of",
    "write_heartbeat",
    "write_report",
]
