"""
Apple's ``NSPinnedDomains``, in an ``Info.plist`` (XML or binary) or inside an IPA.

Rules of this file, from Apple's documentation of the Information Property List:

1. A name covers itself, and with ``NSIncludesSubdomains`` every name that has exactly one more label.
2. Two lists, of leaves and of authorities; at least one is given, and where both are, both must match.
3. A name is written in lower case; a trailing dot matches only the name written with a dot.
4. Nothing expires, reports or takes a name out of a wider entry.
5. Which of two entries counts, where one includes the other's name, is not documented: such files are not written, and
   such a file is read only where both say the same.
"""

from __future__ import annotations

import plistlib
from typing import TYPE_CHECKING, Any

from pinscher.formats.archives import is_archive, members
from pinscher.formats.coverage import parents
from pinscher.formats.format import Format, UnreadableFileError
from pinscher.formats.loss import Loss, LossLedger
from pinscher.formats.plists import parse_plist, table, truth
from pinscher.formats.reading import Reader
from pinscher.formats.roles import Position, split
from pinscher.formats.said import UNPINNED, Said, Target, said_coverage, said_entries
from pinscher.formats.text_form import encoded, xml_comment
from pinscher.host import HostPattern, Reach

if TYPE_CHECKING:
    from pinscher.formats.coverage import Coverage
    from pinscher.formats.format import Choices, Reading
    from pinscher.pin import Pin
    from pinscher.policy import Policy

_NAME = "apple"
_TARGET = Target(_NAME)
_LEAVES, _AUTHORITIES, _INCLUDES = "NSPinnedLeafIdentities", "NSPinnedCAIdentities", "NSIncludesSubdomains"
_DIGEST = "SPKI-SHA256-BASE64"
_LISTS = {_LEAVES: Position.LEAF, _AUTHORITIES: Position.AUTHORITY}


def write(policy: Policy, choices: Choices) -> bytes:
    """Return an ``Info.plist`` part that decides as the policy does, or raise ``FormatLossError``."""
    losses = LossLedger(_NAME, choices.accepted)
    entries = _one_label_only(said_entries(policy, _TARGET, losses), losses)
    listed = _statements(said_coverage(entries), losses)
    domains = {name: _domain(name, includes, said, policy, losses) for name, (includes, said) in listed.items()}
    recorded = losses.settle()
    text = plistlib.dumps({"NSAppTransportSecurity": {"NSPinnedDomains": domains}}, sort_keys=False).decode()
    head, mark, rest = text.partition("<plist")
    return "".join([head, *(xml_comment(line) + "\n" for line in recorded), mark, rest]).encode()


def _one_label_only(entries: dict[HostPattern, Said], losses: LossLedger) -> dict[HostPattern, Said]:
    """Turn every ``**.`` into the name and one label below it, which is all that rule 1 reaches."""
    turned = {}
    for pattern, said in entries.items():
        if pattern.reach is not Reach.ANY_DEPTH:
            continue
        if said != UNPINNED:
            losses.add(Loss("any-depth", str(pattern), "NSIncludesSubdomains reaches one label and no further",
                            (f'write "{pattern.name}" and "*.{pattern.name}"', "list the hosts one by one"),
                            given_up="names more than one label below are not pinned"))  # fmt: skip
        turned[HostPattern(pattern.name)] = said
        turned[HostPattern(pattern.name, reach=Reach.ONE_LABEL)] = said
    return turned | {pattern: said for pattern, said in entries.items() if pattern.reach is not Reach.ANY_DEPTH}


def _statements(covered: tuple[Coverage[Said], ...], losses: LossLedger) -> dict[str, tuple[bool, Said]]:
    listed: dict[str, tuple[bool, Said]] = {}
    for one in covered:
        parent = next(iter(parents(one.name)), "")
        includes, wider = listed.get(parent, (False, UNPINNED))
        around = wider if includes else None
        at, below = one.at, one.below
        if below is not None and at != below:
            losses.add(Loss("apex", one.name, "NSIncludesSubdomains always covers the name itself",
                            (f'give "{one.name}" the pins of "*.{one.name}"', "list the hosts one by one"),
                            given_up=f"{one.name} itself is treated like the names below it"))  # fmt: skip
            at = below
        if at == around and below is None:
            continue
        if around is not None and at != around:
            _narrower(one.name, parent, losses, is_pinned=at is not None)
            if at is None:
                continue
        if at is not None:
            listed[one.name] = below is not None, at
    return listed


def _narrower(name: str, parent: str, losses: LossLedger, *, is_pinned: bool) -> None:
    if is_pinned:
        losses.add(Loss("narrower-entry", name, f"Apple does not say which entry counts below {parent!r}",
                        ("give both the same pins", f'list the hosts below "{parent}" one by one')))  # fmt: skip
    else:
        losses.add(Loss("unpinned", name, "the target cannot take a name out of a wider entry",
                        (f'list the pinned hosts below "{parent}" one by one',),
                        given_up="the host is pinned like the names around it"))  # fmt: skip


def _domain(name: str, includes: bool, said: Said, policy: Policy, losses: LossLedger) -> dict[str, Any]:  # noqa: FBT001
    leaves, authorities = split(policy, name, said.pins, losses)
    if leaves and authorities:
        leaves, authorities = _one_list(name, leaves, authorities, losses)
    domain: dict[str, Any] = {_INCLUDES: True} if includes else {}
    for key, pins in ((_LEAVES, leaves), (_AUTHORITIES, authorities)):
        if pins:
            domain[key] = [{_DIGEST: encoded(pin)} for pin in pins]
    return domain


def _one_list(
    name: str, leaves: tuple[Pin, ...], authorities: tuple[Pin, ...], losses: LossLedger
) -> tuple[tuple[Pin, ...], tuple[Pin, ...]]:
    """Keep one list, since Apple requires both to match where the policy is content with either."""
    way = ("pin leaf keys alone or authority keys alone for this host",)
    feature = "a leaf key or an authority's key is enough, and Apple would require both"
    if losses.accepts("leaf-pins"):
        losses.add(Loss("leaf-pins", name, feature, way, given_up="only the authority keys are accepted"))
        return (), authorities
    losses.add(Loss("ca-pins", name, feature, (*way, "accept the loss 'leaf-pins'"),
                    given_up="only the leaf keys are accepted"))  # fmt: skip
    return leaves, ()


def read(content: bytes, choices: Choices) -> Reading:
    """Return what the ``NSPinnedDomains`` of a property list or an IPA say, or raise."""
    reader = Reader(_NAME, choices)
    losses = LossLedger(_NAME, choices.accepted)
    root = _information(content)
    security = root.get("NSAppTransportSecurity", root)
    domains = table(security, _NAME, "NSAppTransportSecurity").get("NSPinnedDomains")
    if domains is None:
        raise reader.refuse("there is no NSPinnedDomains in it")
    listed = _listed(table(domains, _NAME, "NSPinnedDomains"), reader, losses)
    losses.settle()
    return reader.reading(listed, lambda host: _decide(host, listed))


def _decide(host: str, listed: dict[str, tuple[bool, Said]]) -> Said | None:
    if host in listed:
        return listed[host][1]
    includes, said = listed.get(next(iter(parents(host)), ""), (False, None))
    return said if includes else None


def _information(content: bytes) -> dict[str, Any]:
    if not is_archive(content):
        return parse_plist(content, _NAME)
    found = list(members(content, _NAME, _is_information))
    if len(found) != 1:
        raise UnreadableFileError(_NAME, f"the archive holds {len(found)} Payload/*.app/Info.plist, expected one")
    return parse_plist(found[0][1], _NAME)


def _is_information(name: str) -> bool:
    parts = name.split("/")
    return len(parts) == 3 and parts[0] == "Payload" and parts[1].endswith(".app") and parts[2] == "Info.plist"


def _listed(domains: dict[str, Any], reader: Reader, losses: LossLedger) -> dict[str, tuple[bool, Said]]:
    listed: dict[str, tuple[bool, Said]] = {}
    for text, value in domains.items():
        domain = table(value, _NAME, text[:80])
        for key in domain:
            if key not in (*_LISTS, _INCLUDES):
                reader.weakening("misspelt", f"{text} {key}", "a key that the platform does not know")
        if text.endswith(".") or "*" in text:
            reader.weakening("never-matches", text, "a name with a trailing dot or a star matches no ordinary host")
            continue
        name = reader.host(text)
        if name in listed:
            raise reader.refuse(f"the domain {name!r} stands twice")
        includes = truth(domain.get(_INCLUDES, False), _NAME, f"{name} {_INCLUDES}")
        listed[name] = includes, _said(name, domain, reader, losses)
    _check_overlaps(listed, reader)
    return listed


def _said(name: str, domain: dict[str, Any], reader: Reader, losses: LossLedger) -> Said:
    lists = {key: _pins(name, domain[key], reader) for key in _LISTS if domain.get(key)}
    if not lists:
        raise reader.refuse(f"{name}: neither {_LEAVES} nor {_AUTHORITIES} lists a key")
    if len(lists) == 2:
        losses.add(Loss("both-lists", name, "Apple requires a leaf and an authority of the lists to match",
                        ("keep one of the lists",), given_up="the leaf alone is required"))  # fmt: skip
        del lists[_AUTHORITIES]
    ((key, pins),) = lists.items()
    for pin in pins:
        reader.keys.note(pin, _LISTS[key])
    return Said(pins)


def _pins(name: str, value: object, reader: Reader) -> tuple[Pin, ...]:
    if not isinstance(value, list):
        raise reader.refuse(f"{name}: expected an array of identities")
    found: dict[Pin, None] = {}
    for one in value:
        text = table(one, _NAME, name).get(_DIGEST)
        if not isinstance(text, str):
            raise reader.refuse(f"{name}: an identity without {_DIGEST}")
        found[reader.pin(text)] = None
    return tuple(found)


def _check_overlaps(listed: dict[str, tuple[bool, Said]], reader: Reader) -> None:
    for name, (_, said) in listed.items():
        parent = next(iter(parents(name)), "")
        includes, wider = listed.get(parent, (False, said))
        if includes and wider != said:
            raise reader.refuse(f"{name!r} and {parent!r}, which includes it, differ; Apple does not say which counts")


FORMAT = Format(name=_NAME, title="Apple NSPinnedDomains", file_name="Info.plist", read=read, write=write)
