"""
The dashboard: pages that a server writes, and that a browser shows without running anything.

Each file of this folder is a list of routes or a thing that they share. The one script makes a page load itself again
when something changed; without it a person does.
"""

from __future__ import annotations

from pinscher.monitor.web.pages import entrance, news, overview, people, static, troubles, watching

ROUTES = (
    *entrance.ROUTES,
    *overview.ROUTES,
    *watching.ROUTES,
    *troubles.ROUTES,
    *people.ROUTES,
    *news.ROUTES,
    *static.ROUTES,
)
"""The routes of the dashboard."""
