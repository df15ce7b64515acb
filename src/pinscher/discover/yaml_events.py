"""
YAML as a stream of fields with their lines; nothing is built from it, and an alias is not followed.

What an alias stands for was seen where its anchor is, so a document that grows when it is expanded stays as small as it
is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pinscher.discover.json_events import DamagedError, Field
from pinscher.discover.limits import DEEPEST, LARGEST_PAGE, LONGEST_TEXT

try:
    import yaml
except ModuleNotFoundError:  # pragma: no cover  (told by the command line, tried with a Python that lacks it)
    raise ModuleNotFoundError(
        "discover reads YAML with pyyaml; install it with: pip install 'pinscher[cli]'", name="yaml"
    ) from None

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from pinscher.discover.json_events import Path

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def fields_of(stream: BinaryIO) -> Iterator[Field]:
    """Yield every value of the YAML documents in a stream; raise :class:`DamagedError` where they are none."""
    content = stream.read(LARGEST_PAGE + 1)
    if len(content) > LARGEST_PAGE:
        raise DamagedError(1, f"more than {LARGEST_PAGE} octets of YAML")
    line = 1
    try:
        for event, path, line in _walk(content):
            value = None if isinstance(event, yaml.CollectionStartEvent) else getattr(event, "value", "")
            is_cut = value is not None and len(value) > LONGEST_TEXT
            yield Field(path, value[:LONGEST_TEXT] if is_cut and value else value, line, is_cut)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise DamagedError(min(mark.line, content.count(b"\n")) + 1 if mark else line, "not YAML") from None
    except (yaml.YAMLError, UnicodeError, ValueError, RecursionError):
        raise DamagedError(line, "not YAML") from None


def _walk(content: bytes) -> Iterator[tuple[Any, Path, int]]:
    """Yield the event of each value with its path; a mapping's slot holds None while its key is awaited."""
    path: list[Any] = []
    for event in yaml.parse(content, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.CollectionEndEvent):
            path.pop()
            _next(path)
        elif isinstance(event, yaml.NodeEvent):
            is_collection = isinstance(event, yaml.CollectionStartEvent)
            if path and path[-1] is None:
                path[-1] = _KEY if is_collection else str(getattr(event, "value", ""))[:LONGEST_TEXT]
                if not is_collection:
                    continue
            if len(path) >= DEEPEST:
                raise DamagedError(line, f"more than {DEEPEST} levels of nesting")
            yield event, path, line
            if is_collection:
                path.append(None if isinstance(event, yaml.MappingStartEvent) else 0)
            else:
                _next(path)


_KEY = "\0"
"""Stands in a mapping's slot while a key that is itself a collection is read."""


def _next(path: list[Any]) -> None:
    """Go on to the next key of a mapping, or the next position of a sequence."""
    if path:
        here = path[-1]
        path[-1] = here + 1 if isinstance(here, int) else "" if here == _KEY else None
