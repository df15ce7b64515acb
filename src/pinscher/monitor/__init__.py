"""
The pins under watch: endpoints looked at on a schedule, reports and heartbeats collected, findings and incidents kept.

One process with one SQLite file does all of it. What is found here is told and never decided by: a monitor makes no
key trusted and changes no policy.
"""

from __future__ import annotations

from importlib.util import find_spec

_PACKAGES = ("aiosqlite", "alembic", "msgspec", "prometheus_client", "sqlalchemy", "starlette", "uvicorn")

for _package in _PACKAGES:
    if find_spec(_package) is None:
        raise ImportError(f"the monitor needs {_package}; install it with: pip install 'pinscher[monitor]'")
