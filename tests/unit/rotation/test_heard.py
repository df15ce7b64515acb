"""What clients that were heard of would make of a new certificate."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinscher.policy import Policy
from pinscher.rotation.gate import Answer, Deployed, Judgement
from pinscher.rotation.heard import (
    LARGEST_HEARD,
    Heard,
    InvalidHeardError,
    Radius,
    radius_of,
    read_heard,
    read_radius,
    worst_of,
)

HOST = "api.bank.example"


def answer(version: int, judgement: Judgement, host: str = HOST) -> Answer:
    """Return what a version of the bank's policy answers."""
    pin = "sha256/" + "A" * 43 + "="
    policy = Policy.loads(f'format = 1\nname = "bank"\nversion = {version}\n[hosts."{HOST}"]\npins = ["{pin}"]\n')
    return Answer(Deployed("pins.toml", policy), host, judgement, "")


def test_clients_are_weighed_by_their_versions() -> None:
    """Versions that refuse count, those of no known policy are unknown, and a refusal outweighs an acceptance."""
    answers = [
        answer(1, Judgement.REFUSES), answer(1, Judgement.ACCEPTS), answer(2, Judgement.ACCEPTS),
        answer(3, Judgement.CANNOT_TELL), answer(4, Judgement.REFUSES, "other.example"),
    ]  # fmt: skip
    heard = [
        Heard("bank", 1, 40),
        Heard("bank", 2, 900),
        Heard("bank", 3, 5),
        Heard("bank", 4, 4),
        Heard("bank", None, 1),
    ]
    radius = radius_of([*heard, Heard("bank", 1, 2)], answers, HOST)
    assert Radius(host=HOST, clients=952, refusing=42, unknown=10, versions={"bank 1": 42}) == radius


@pytest.mark.parametrize(
    ("radius", "tolerated", "judgement"),
    [
        (Radius(host=HOST, clients=1000, refusing=41), 0.0, Judgement.REFUSES),
        (Radius(host=HOST, clients=1000, refusing=41), 0.05, Judgement.ACCEPTS),
        (Radius(host=HOST, clients=1000, refusing=41, unknown=20), 0.05, Judgement.CANNOT_TELL),
        (Radius(host=HOST, clients=1000, unknown=1), 0.0, Judgement.CANNOT_TELL),
        (Radius(host=HOST, clients=1000), 0.0, Judgement.ACCEPTS),
        (Radius(host=HOST), 1.0, Judgement.CANNOT_TELL),
    ],
)
def test_a_share_is_tolerated_or_not(radius: Radius, tolerated: float, judgement: Judgement) -> None:
    """More than is tolerated is a refusal; unknown clients count as if they refused; nobody heard of is no answer."""
    assert judgement is radius.judged(tolerated=tolerated)


def test_the_worst_path_counts() -> None:
    """A client may build any path, and so the worst answer is the answer."""
    worst = Radius(host=HOST, clients=10, refusing=2)
    assert worst == worst_of(
        [Radius(host=HOST, clients=10), worst, Radius(host=HOST, clients=10, refusing=1, unknown=9)]
    )


def test_a_monitors_answers_are_read() -> None:
    """The lists and numbers of a monitor are read as it writes them."""
    content = json.dumps({"clients": [{"application": "a", "policy": "bank", "version": 2, "installs": 7}]}).encode()
    assert (Heard("bank", 2, 7),) == read_heard(content, source="x")
    content = json.dumps({"clients": 3, "refusing": 1, "unknown": 1, "share": 0.5, "versions": {"bank 1": 1}}).encode()
    expected = Radius(host=HOST, clients=3, refusing=1, unknown=1, versions={"bank 1": 1})
    assert expected == read_radius(content, source="x", host=HOST)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"clients": 1}', '{"clients": [1]}', '{"clients": [{"policy": 1}]}',
     '{"clients": [{"policy": "a", "installs": -1}]}', '{"clients": [{"policy": "a", "installs": true}]}',
     '{"clients": [{"policy": "a", "version": "1", "installs": 1}]}', "[" * 100_000, " " * (LARGEST_HEARD + 1)],
)  # fmt: skip
def test_what_is_no_list_of_clients_is_refused(content: str) -> None:
    """Anything but a list of counted clients is an error that names its source."""
    with pytest.raises(InvalidHeardError, match=r"^yesterday\.json: ") as caught:
        read_heard(content.encode(), source="yesterday.json")
    again = pickle.loads(pickle.dumps(caught.value))
    assert ("yesterday.json", caught.value.reason, str(caught.value)) == (again.source, again.reason, str(again))


@pytest.mark.parametrize(
    "content",
    ["{}", '{"clients": 1, "refusing": 1, "unknown": 1}', '{"clients": 1, "refusing": 0, "unknown": 0, "versions": []}',
     '{"clients": 1, "refusing": 0, "unknown": 0, "versions": {"a": "b"}}'],
)  # fmt: skip
def test_numbers_that_contradict_each_other_are_refused(content: str) -> None:
    """An answer in which more clients refuse than there are is none."""
    with pytest.raises(InvalidHeardError):
        read_radius(content.encode(), source="x", host=HOST)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    """Any octets are an answer, or are refused with this file's own error."""
    for read in (lambda: read_heard(content, source="x"), lambda: read_radius(content, source="x", host=HOST)):
        try:
            read()
        except InvalidHeardError:
            continue
