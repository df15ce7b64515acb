"""
Whether every path on which a client could validate a host holds a pin, and if not, on which it does not.

Rules of this file:

1. A path holds a pin when the policy's verdict on it is a match; a denied key or a policy past its day is none.
2. From the day on that the leaf has expired, another of the same key and names is in its place: pins of the key still
   match it, and pins of the whole certificate do not. So it is when another authority issues the next one.
3. Whoever asks for a leaf with a new key gets no pin counted on the leaf.
4. What was cut short, and a moment without any path, is never called survived.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from pinscher.errors import escaped
from pinscher.probe.paths import conceivable_path
from pinscher.rotation.survival.cover import Cover, smallest_cover
from pinscher.rotation.survival.graph import Graph, GraphTooLargeError
from pinscher.rotation.survival.openssl import openssl_paths
from pinscher.rotation.survival.paths import Anchors, Ground, Limits, TooManyPathsError, all_paths
from pinscher.verdict import Outcome, Verdict, evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from pinscher.pin import PinSet
    from pinscher.policy import Policy
    from pinscher.rotation.survival.certificate import Certificate
    from pinscher.rotation.survival.stores import TrustStore


class Builder(enum.Enum):
    """Who builds a path: OpenSSL, or a verifier that tries every way; the value is the word for it."""

    OPENSSL = "openssl"
    EVERY_WAY = "every-way"


class LeafKey(enum.Enum):
    """Whether the next certificate has the key of this one (rule 3)."""

    KEPT = "kept"
    NEW = "new"


class Answer(enum.Enum):
    """What was proved."""

    SURVIVES = "survives"
    BREAKS = "breaks"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Start:
    """
    What paths begin with: a leaf and what a server presents with it.

    ``issuer`` is the authority that issues the next such leaf, where it is not this one that is asked about.
    """

    label: str
    leaf: Certificate
    presented: tuple[Certificate, ...] = ()
    issuer: Certificate | None = None

    def is_renewed(self, at: datetime) -> bool:
        """Tell whether another leaf stands in this one's place (rule 2)."""
        return self.issuer is not None or at > self.leaf.not_after


@dataclass(frozen=True, slots=True)
class Question:
    """Everything that is asked: the host in canonical form, its policy, what is known, and as of which moments."""

    host: str
    policy: Policy
    starts: tuple[Start, ...]
    stores: tuple[TrustStore, ...]
    moments: tuple[datetime, ...]
    intermediates: tuple[Certificate, ...] = field(default=(), kw_only=True)
    leaf_key: LeafKey = field(default=LeafKey.KEPT, kw_only=True)
    builders: frozenset[Builder] = field(default=frozenset(Builder), kw_only=True)
    anchors: Anchors = field(default=Anchors.WHOLE, kw_only=True)
    limits: Limits = field(default_factory=Limits, kw_only=True)


@dataclass(frozen=True, slots=True)
class Found:
    """One path, who could build it, and what the policy says of it; without a leaf where none is counted (rule 3)."""

    start: Start
    authorities: tuple[Certificate, ...]
    stores: tuple[str, ...]
    builders: frozenset[Builder]
    verdict: Verdict | None
    is_renewed: bool

    @property
    def holds(self) -> bool:
        """Whether the path holds a pin (rule 1)."""
        return self.verdict is not None and self.verdict.outcome is Outcome.MATCH


@dataclass(frozen=True, slots=True)
class Moment:
    """The paths of one moment; ``cut`` says where the search ended early, ``barren`` who has no path, in words."""

    at: datetime
    found: tuple[Found, ...]
    cut: str | None
    barren: tuple[str, ...]

    @property
    def counter_examples(self) -> tuple[Found, ...]:
        """The paths that hold no pin."""
        return tuple(path for path in self.found if not path.holds)


@dataclass(frozen=True)
class Proof:
    """The answer to a question, with all that it rests on."""

    question: Question
    moments: tuple[Moment, ...]

    @cached_property
    def answer(self) -> Answer:
        """What was proved (rule 4)."""
        if any(moment.counter_examples for moment in self.moments):
            return Answer.BREAKS
        if any(moment.cut is not None or not moment.found for moment in self.moments):
            return Answer.UNKNOWN
        return Answer.SURVIVES

    @cached_property
    def cover(self) -> Cover | None:
        """The smallest set of keys that covers every path of every moment, the leaf's own among them if it is kept."""
        return self._cover(self.question.leaf_key)

    @cached_property
    def cover_of_authorities(self) -> Cover | None:
        """The smallest set of authorities' keys that covers every path, whatever becomes of the leaf's key."""
        return self._cover(LeafKey.NEW)

    def _cover(self, leaf_key: LeafKey) -> Cover | None:
        """Return a smallest cover of the paths that no denied key refuses; None where there is none."""
        pins = _pins_of(self.question)
        paths = {(found.start.leaf.key, found.authorities) for moment in self.moments for found in moment.found}
        sequences = set()
        for leaf, authorities in paths:
            keys = tuple(dict.fromkeys(one.key for one in authorities))
            if not any(pins.denied(one.der) for one in authorities):
                sequences.add(((leaf,) if leaf_key is LeafKey.KEPT else ()) + keys)
        return smallest_cover(sorted(sequences)) if sequences else None

    @cached_property
    def certificates(self) -> dict[bytes, Certificate]:
        """A certificate for each key of a path, so that a key can be shown by a name."""
        shown: dict[bytes, Certificate] = {}
        for moment in self.moments:
            for found in moment.found:
                for one in (found.start.leaf, *found.authorities):
                    if one.key not in shown or one.not_after > shown[one.key].not_after:
                        shown[one.key] = one
        return shown


def prove(question: Question, *, advance: Callable[[], None] = lambda: None) -> Proof:
    """
    Look at every path of every moment; *advance* is called after each moment.

    The host must be one that the policy pins. That it survives is proved for the certificates, stores and moments of
    the question, and for none besides.
    """
    known: list[Certificate] = []
    for start in question.starts:
        known += [start.leaf, *start.presented, *([] if start.issuer is None else [start.issuer])]
    known += question.intermediates
    graph = Graph([*known, *(one for store in question.stores for one in store.certificates)])
    numbers = frozenset(map(graph.number, known))
    moments = []
    for at in question.moments:
        moments.append(_Work(question, graph, numbers, at).moment())
        advance()
    return Proof(question, tuple(moments))


def judge_again(proof: Proof, policy: Policy) -> Proof:
    """Judge the paths of a proof by another policy, which pins the host as well; no path is looked for again."""
    question = replace(proof.question, policy=policy)
    _pins_of(question)
    return Proof(
        question,
        tuple(
            replace(moment, found=tuple(_judged_again(found, question, moment.at) for found in moment.found))
            for moment in proof.moments
        ),
    )


def _judged_again(found: Found, question: Question, at: datetime) -> Found:
    return replace(found, verdict=_verdict(question, found.start, found.authorities, at))


def _pins_of(question: Question) -> PinSet:
    entry = question.policy.lookup_canonical(question.host)
    if entry is None or entry.pinset is None:
        raise ValueError(f"the policy does not pin {question.host!r}")
    return entry.pinset


_Key = tuple[int, tuple["Certificate", ...]]


class _Work:
    """The paths of one moment, collected over all starts and stores."""

    def __init__(self, question: Question, graph: Graph, known: frozenset[int], at: datetime) -> None:
        self._question = question
        self._graph = graph
        self._known = known
        self._at = at
        self._found: dict[_Key, tuple[dict[str, None], set[Builder]]] = {}
        self._barren: list[str] = []
        self._cut: str | None = None

    def moment(self) -> Moment:
        for place, start in enumerate(self._question.starts):
            if self._at >= start.leaf.not_before:
                for store in self._question.stores:
                    self._collect(place, start, store)
            else:
                self._barren.append(f"the certificate of {start.label} is not valid yet")
        found = tuple(
            self._judged(self._question.starts[place], authorities, tuple(stores), frozenset(builders))
            for (place, authorities), (stores, builders) in self._found.items()
        )
        return Moment(self._at, found, self._cut, tuple(self._barren))

    def _collect(self, place: int, start: Start, store: TrustStore) -> None:
        if not start.leaf.serves_tls or start.leaf.is_strange:
            self._barren.append(f"the certificate of {start.label} is not one of a TLS server")
            return
        for builder in sorted(self._question.builders, key=lambda one: one.value):
            has_any = False
            try:
                for authorities in self._paths(builder, start, store):
                    has_any = True
                    self._add((place, authorities), store.name, builder)
            except (TooManyPathsError, GraphTooLargeError) as error:
                self._cut, has_any = str(error), True
            if not has_any:
                self._barren.append(f"{start.label} leads to no root of {escaped(store.name)} ({builder.value})")

    def _add(self, key: _Key, store: str, builder: Builder) -> None:
        if key not in self._found and len(self._found) == self._question.limits.paths:
            raise TooManyPathsError(f"more than {self._question.limits.paths} paths")
        stores, builders = self._found.setdefault(key, ({}, set()))
        stores[store] = None
        builders.add(builder)

    def _paths(self, builder: Builder, start: Start, store: TrustStore) -> Iterator[tuple[Certificate, ...]]:
        # What a server will present with a certificate of another authority is not known, so every way is open.
        if builder is Builder.OPENSSL and start.issuer is None:
            yield from openssl_paths(start.leaf, start.presented, store.certificates, at=self._at)
            return
        graph = self._graph
        anchors = frozenset(map(graph.number, store.certificates))
        ground = Ground(
            graph, self._known, anchors, self._at, start.leaf.names, self._question.limits, self._question.anchors
        )
        if start.issuer is not None:
            first: tuple[int, ...] = (graph.number(start.issuer),)
        else:
            leaf = graph.number(start.leaf)
            first = tuple(number for number in graph.issuers(leaf) if number != leaf)
            if leaf in anchors:
                yield ()
        for numbers in all_paths(ground, first):
            yield tuple(graph.certificates[number] for number in numbers)

    def _judged(
        self, start: Start, authorities: tuple[Certificate, ...], stores: tuple[str, ...], builders: frozenset[Builder]
    ) -> Found:
        verdict = _verdict(self._question, start, authorities, self._at)
        return Found(start, authorities, stores, builders, verdict, start.is_renewed(self._at))


def _verdict(question: Question, start: Start, authorities: tuple[Certificate, ...], at: datetime) -> Verdict | None:
    certificates = [one.der for one in authorities]
    if question.leaf_key is LeafKey.KEPT:
        certificates.insert(0, _stand_in(start.leaf.der) if start.is_renewed(at) else start.leaf.der)
    if not certificates:
        return None
    return evaluate(conceivable_path(certificates), question.policy, host=question.host, at=at)


def _stand_in(leaf: bytes) -> bytes:
    """Return a leaf of the same key and another digest (rule 2): the last octet of its signature differs."""
    return leaf[:-1] + bytes([leaf[-1] ^ 1])
