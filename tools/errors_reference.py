"""
Write the page of every error class from the source: ``python tools/errors_reference.py [--check]``.

What an error means is the first paragraph of its class's docstring; whose fault it is stands in the tables below.
"""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
SOURCE = HERE / "src"
PAGE = HERE / "docs" / "reference" / "errors.md"

PEER, POLICY, CALL, MACHINE, SENDER, PUBLISHER, US, ANY = (
    "the other side", "the policy", "the caller", "this machine", "the sender", "the publisher", "nobody", "any",
)  # fmt: skip
FAULTS = {
    PEER: "a server, a mirror, a log or somebody in between showed what must not be accepted, or showed nothing",
    POLICY: "what the policy, or a file in its place, says cannot be used or does not fit what it is used for",
    CALL: "the arguments, a setting or a file that was handed in",
    MACHINE: "a disk, a missing program, a missing package, another process",
    SENDER: "whoever sent this request to the monitor",
    PUBLISHER: "whoever keeps the repository of signed policies",
    ANY: "the class says nothing; its subclass does",
    US: "it carries a message inwards and is caught there; who sees it has found a bug",
}
OF_A_ROOM = {
    "pinscher.cli": CALL, "pinscher.clients": CALL, "pinscher.discover": CALL, "pinscher.formats": CALL,
    "pinscher.lab": MACHINE, "pinscher.monitor": SENDER, "pinscher.probe": CALL, "pinscher.reports": CALL,
    "pinscher.rotation": CALL, "pinscher.store": MACHINE, "pinscher.tls": CALL, "pinscher.updates": PEER,
    "pinscher.updates.repository": PUBLISHER, "pinscher": CALL,
}  # fmt: skip
OF_A_CLASS = {
    "CertificateParseError": PEER, "EmptyChainError": PEER, "InvalidPolicyError": POLICY, "FormatLossError": POLICY,
    "PinMismatchError": PEER, "UnknownSessionError": PEER, "SelfTestError": MACHINE, "RefusedError": PEER,
    "TruncatedError": PEER, "UnpinnedUpstreamError": POLICY, "NoAnswerError": PEER, "StarttlsRefusedError": PEER,
    "ResponseInjectionError": PEER, "TlsaError": PEER, "TimestampsError": PEER, "UnverifiedPathError": PEER,
    "TooManyPathsError": PEER, "GraphTooLargeError": PEER, "IssuerFetchError": PEER, "IssuanceError": PEER,
    "DeliveryError": PEER, "PrivateAddressError": PEER, "VaultError": MACHINE, "VaultBusyError": MACHINE,
    "ReportError": SENDER, "PebbleError": MACHINE, "UnavailableAlgorithmError": MACHINE, "UnusableStoreError": MACHINE,
    "UnpinnedKeyError": POLICY, "UnnamedKeyError": POLICY, "DatabaseUnusableError": MACHINE,
    "BrokerUnusableError": MACHINE, "NotStoredError": MACHINE, "PasswordsBusyError": MACHINE, "InvalidAlertsError": CALL, "InvalidLogListError": CALL,
    "UnreadableLeafError": PEER, "UpdateStoreError": MACHINE, "StoreBusyError": MACHINE, "InvalidBundleError": PUBLISHER,
    "ReaderGoneError": US, "ConversationEndedError": US, "DamagedError": US, "TnetstringError": US, "HeaderError": US,
    "NotOpenedError": US, "CannotExpressError": CALL, "PlaceholderError": CALL, "TalkError": PEER, "PinningError": CALL,
    "UnwritableFileError": MACHINE, "UnreadableFileError": CALL, "ActivationError": CALL,
}  # fmt: skip

HEAD = """# Errors

Made by `tools/errors_reference.py` from the classes' own docstrings; do not edit it by hand.
Everything that Pinscher refuses is refused with a subclass of `PinningError`; what is none of them is said here.
The text of an error is for people, and what a program needs stands in its attributes.

| whose fault | it means |
|---|---|
"""


@dataclass(frozen=True)
class Found:
    """One class: the module that defines it, its name, its bases as they are written, its first paragraph."""

    module: str
    name: str
    bases: tuple[str, ...]
    when: str

    @property
    def fault(self) -> str:
        """Whose fault it is."""
        rooms = sorted((room for room in OF_A_ROOM if f"{self.module}.".startswith(f"{room}.")), key=len)
        return OF_A_CLASS.get(self.name, OF_A_ROOM[rooms[-1]])


def errors() -> list[Found]:
    """Return every public error class of the source, by module."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        module = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and re.fullmatch(r"[A-Z]\w*(Error|Warning)", node.name):
                when = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split()).replace("``", "`")
                when = re.sub(r" \(rule \d+\)", "", when)
                found.append(Found(module, node.name, tuple(ast.unparse(base) for base in node.bases), when))
    return found


def page() -> str:
    """Return the whole page."""
    known = errors()
    parts = [HEAD, *(f"| {fault} | {meaning} |\n" for fault, meaning in FAULTS.items())]
    rooms = list(
        dict.fromkeys(".".join(one.module.split(".")[:2]) if _is_room(one.module) else "pinscher" for one in known)
    )
    for room in sorted(rooms):
        parts.append(f"\n## {'The ground floor' if room == 'pinscher' else f'`{room}`'}\n\n")
        parts.append("| error | whose fault | when | it is also |\n|---|---|---|---|\n")
        for one in known:
            if (".".join(one.module.split(".")[:2]) if _is_room(one.module) else "pinscher") == room:
                bases = ", ".join(f"`{base}`" for base in one.bases)
                parts.append(f"| `{one.name}`<br>`{one.module}` | {one.fault} | {one.when} | {bases} |\n")
    return "".join(parts)


def _is_room(module: str) -> bool:
    return (SOURCE / "pinscher" / module.split(".")[1]).is_dir() if "." in module else False


def main() -> int:
    """Write the page, or with --check say whether it is current."""
    gone = sorted(set(OF_A_CLASS) - {one.name for one in errors()})
    wordless = [one.name for one in errors() if not one.when]
    if gone or wordless:
        print(f"no such class any more: {gone}; without a docstring: {wordless}")
        return 1
    if "--check" in sys.argv:
        is_current = PAGE.read_text(encoding="utf-8") == page()
        print("the page of errors is current" if is_current else "stale: run tools/errors_reference.py")
        return 0 if is_current else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
