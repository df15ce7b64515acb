"""
Access logs: the combined form with the virtual host in front, proxies' logs with whole addresses, JSON lines.

The plain combined form does not say for which host a request came; such lines are counted and give nothing. The
address that a visitor came from, and the page that led there, are nobody's endpoints, and are not read.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from pinscher.discover.addresses import host_and_port
from pinscher.discover.exchange import sighting_of
from pinscher.discover.limits import LONGEST_LINE
from pinscher.discover.matters import Crossing, Matter
from pinscher.discover.sighting import Evidence, Place, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.discover.sighting import Find, Source

_COMBINED = re.compile(
    r"(?:(?P<host>[^\s\[\]\"]{1,260}) )?(?P<client>[0-9A-Fa-f:.]{2,45}|-) "
    r"\S{1,64} (?P<user>\S{1,256}) \[[^\]\"]{1,64}\] "
    r'"(?P<method>[A-Z]{1,16}) (?P<path>\S{1,8192})(?: HTTP/[\d.]{1,4})?"'
)
_PROXIED = re.compile(
    r"(?:^|[\s\"])(?P<method>[A-Z]{3,16}) (?P<url>(?:https?://\S{1,8192}|[\w.-]{1,255}:\d{1,5}(?=\s)))"
)
LINE = re.compile(rb'^\S.{0,600}\[[^\]]{1,64}\] "[A-Z]{1,16} |^\d{9,10}\.\d{3}\s+\d+ \S+ [A-Z_]+/\d{3} ', re.DOTALL)
"""How the first line of a log looks."""


def read_log(source: Source) -> Iterator[Find]:
    """Yield a sighting for every line that names a host."""
    for number, octets, is_cut in source.lines(LONGEST_LINE):
        place = Place(source.name, number)
        line = octets.decode("utf-8", "replace").strip()
        if not line:
            continue
        yield _json_line(line, place) if line.startswith("{") else _line(line, place)
        if is_cut:
            yield Skipped("the rest of a long line", place)


def _line(line: str, place: Place) -> Find:
    combined = _COMBINED.match(line)
    user = [Crossing(Matter.CREDENTIAL, "authorization basic")] if combined and combined["user"] != "-" else []
    if combined and combined["host"] and isinstance(host_and_port(combined["host"]), tuple):
        scheme = "http" if combined["host"].endswith(":80") else "https"
        url = f"{scheme}://{combined['host']}{_path(combined['path'])}"
        return sighting_of(combined["method"], url, place, more=user, evidence=Evidence.LOGGED)
    proxied = _PROXIED.search(line)
    if proxied:
        url = proxied["url"] if "://" in proxied["url"] else f"https://{proxied['url']}/"
        return sighting_of(proxied["method"], url, place, evidence=Evidence.LOGGED)
    if combined:
        return Skipped("a request without its host", place)
    return Skipped("a line in no known form of log", place)


def _path(path: str) -> str:
    return path if path.startswith("/") else "/"


def _json_line(line: str, place: Place) -> Find:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return Skipped("a line in no known form of log", place)
    request = told.get("request", told)
    request = request if isinstance(request, dict) else told
    host = next((one for key in _HOST_KEYS if isinstance(one := request.get(key), str)), "")
    path = next((one for key in _PATH_KEYS if isinstance(one := request.get(key), str)), "/")
    if not host:
        return Skipped("a request without its host", place)
    scheme = "https" if request.get("tls") or request.get("scheme", "https") != "http" else "http"
    headers = [(name, _first(value)) for name, value in _headers(request).items()]
    method = next((one for key in ("method", "request_method") if isinstance(one := request.get(key), str)), "")
    return sighting_of(method, f"{scheme}://{host}{_path(path)}", place, headers=headers, evidence=Evidence.LOGGED)


_HOST_KEYS = ("host", "http_host", "server_name", "vhost", "authority", ":authority")
_PATH_KEYS = ("uri", "request_uri", "path", "url")


def _headers(request: dict[str, Any]) -> dict[str, Any]:
    headers = request.get("headers")
    return headers if isinstance(headers, dict) else {}


def _first(value: Any) -> str:
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, str) else ""
