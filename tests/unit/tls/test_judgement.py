"""How a connection is judged: by the validated chain, by one policy, and in doubt refused."""

from __future__ import annotations

import gc
import logging
import ssl
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

import pinscher
from pinscher.tls import record

from .conftest import HOST, SECRET, connected, wrapped

if TYPE_CHECKING:
    from .conftest import Scene


def _refused(context: ssl.SSLContext, server: Any, **options: Any) -> pinscher.PinMismatchError:
    with pytest.raises(pinscher.PinMismatchError) as caught, wrapped(context, server, **options):
        pass
    server.wait_idle()
    assert 0 == server.application_bytes
    return caught.value


@pytest.mark.parametrize("where", ["leaf", "intermediate", "root"])
def test_a_pin_matches_anywhere_on_the_validated_chain(scene: Scene, where: str) -> None:
    """A pin of the leaf, of an intermediate or of the trust anchor matches, and the verdict says which."""
    der = {"leaf": scene.genuine.der, "intermediate": scene.authority.certificate, "root": scene.root.certificate}[
        where
    ]
    with wrapped(scene.context(scene.policy(pinscher.Pin.of(der))), scene.serve(scene.genuine)) as secured:
        assert pinscher.Pin.of(der) == secured.verdict.matched
        assert (scene.genuine.der, scene.authority.certificate, scene.root.certificate) == (
            secured.verdict.chain.certificates
        )


def test_certificate_pins_match_the_whole_certificate(scene: Scene) -> None:
    """A pin of a whole certificate matches it, and no longer matches its renewal with the same key."""
    context = scene.context(scene.policy(pinscher.Pin.of(scene.genuine.der, kind="certificate")))
    server = scene.serve(scene.genuine)
    with wrapped(context, server) as secured:
        assert "MATCH" == secured.verdict.outcome.name
    server.show(scene.genuine.renew())
    assert pinscher.Outcome.NO_MATCHING_PIN is _refused(context, server).verdict.outcome


def test_cve_2016_2402_presented_certificates_do_not_count(scene: Scene) -> None:
    """
    A server that appends the pinned certificates to its own chain gains nothing.

    https://nvd.nist.gov/vuln/detail/CVE-2016-2402
    """
    other = scene.root.twin()
    context = scene.context(scene.policy(), trust=scene.root.pem + other.pem)
    genuine = [scene.genuine.der, scene.authority.certificate, scene.root.certificate]
    server = scene.serve(other.issue(HOST), present=genuine)
    error = _refused(context, server)
    assert not set(genuine[:2]) & set(error.verdict.chain or ())


def test_a_forged_issuer_is_refused_by_openssl(scene: Scene) -> None:
    """A leaf that merely names the pinned authority as its issuer does not verify."""
    server = scene.serve(scene.authority.forged_issuer(HOST))
    context = scene.context(scene.policy(pinscher.Pin.of(scene.authority.certificate)))
    with pytest.raises(ssl.SSLCertVerificationError) as caught, wrapped(context, server):
        pass
    assert ["CHAIN_NOT_VALIDATED"] == scene.outcomes()
    assert scene.told[0] is pinscher.verdict_of(caught.value)
    assert "no validated chain for bank.test" in caught.value.__notes__[0]
    assert str(caught.value).endswith(f"verdict: {context.verdicts[0].id}")


@pytest.mark.parametrize("deferred", [True, False])
def test_what_openssl_refuses_is_a_verdict_too(scene: Scene, deferred: bool) -> None:
    """The commonest interception, a CA this machine does not trust, is told, and OpenSSL's own error stands."""
    server, context = scene.serve(scene.genuine), scene.context(trust=scene.root.twin().pem)
    with connected(server) as plain, pytest.raises(ssl.SSLCertVerificationError, match="verify failed") as caught:
        with context.wrap_socket(plain, server_hostname=HOST, do_handshake_on_connect=not deferred) as secured:
            secured.sendall(SECRET)
    assert ssl.SSLCertVerificationError is type(caught.value)
    assert ["CHAIN_NOT_VALIDATED"] == scene.outcomes()
    assert scene.told[0] is pinscher.verdict_of(caught.value)
    assert (HOST, pinscher.Action.BLOCK) == (scene.told[0].host, scene.told[0].action)
    server.wait_idle()
    assert 0 == server.application_bytes


def test_a_wrong_name_is_a_verdict_too(scene: Scene) -> None:
    """A genuine key behind a certificate for another name is refused by OpenSSL, and told."""
    server = scene.serve(scene.authority.issue("other.test", key=scene.genuine.key))
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"), wrapped(scene.context(), server):
        pass
    assert ["CHAIN_NOT_VALIDATED"] == scene.outcomes()


def test_openssl_alone_decides_about_unlisted_hosts(scene: Scene) -> None:
    """Under unlisted-hosts = "allow" a host without an entry gets ordinary TLS, in its refusals too."""
    context = scene.context(scene.policy(host="other.test", top='[defaults]\nunlisted-hosts = "allow"'))
    with wrapped(context, scene.serve(scene.genuine)) as secured:
        assert "NOT_PINNED" == secured.verdict.outcome.name
    scene.told.clear()
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        with wrapped(context, scene.serve(scene.root.twin().issue(HOST))):
            pass
    assert ([], None) == (scene.outcomes(), pinscher.verdict_of(caught.value))


@pytest.mark.parametrize("host", [None, "", "bank.test:443", "bank..test", "127.1", "bank.test/", b"bank\xff.test"])
@pytest.mark.parametrize("unlisted", ["deny", "allow"])
def test_h10_a_name_that_cannot_be_checked_is_refused(scene: Scene, host: Any, unlisted: str) -> None:
    """A missing or unusable server name is refused before a byte is sent, whatever unlisted-hosts says."""
    server = scene.serve(scene.genuine)
    context = scene.context(scene.policy(top=f'[defaults]\nunlisted-hosts = "{unlisted}"'))
    with connected(server) as plain, pytest.raises(pinscher.PinMismatchError, match="without a usable host name"):
        context.wrap_socket(plain, server_hostname=host)
    memory = context.wrap_bio(ssl.MemoryBIO(), outgoing := ssl.MemoryBIO(), server_hostname=host)
    with pytest.raises(pinscher.PinMismatchError):
        memory.do_handshake()
    assert b"" == outgoing.read()
    server.wait_idle()
    assert (None, 0) == (server.evidence[0].server_name, server.evidence[0].application_bytes)


@pytest.mark.parametrize("host", ["BANK.test", "\uff42ank.test", "bank\u3002test", b"bank.test"])
def test_names_are_looked_up_as_tls_verifies_them(scene: Scene, host: Any) -> None:
    """Case, compatibility letters and ideographic dots lead to the entry that TLS's own mapping leads to."""
    with pytest.raises(pinscher.PinMismatchError, match="no pinned key"):
        with wrapped(scene.context(), scene.serve(scene.rogue), host=host):
            pass
    with wrapped(scene.context(), scene.serve(scene.genuine), host=host) as secured:
        assert HOST == secured.verdict.host


def test_ip_literals_are_pinned_like_names(scene: Scene) -> None:
    """An entry for an address is enforced when the address is what TLS verifies (CVE-2016-3739)."""
    policy = scene.policy(host="127.0.0.1")
    held = scene.authority.issue("127.0.0.1", key=scene.genuine.key)
    with wrapped(scene.context(policy), scene.serve(held), host="127.0.0.1") as secured:
        assert "127.0.0.1" == secured.verdict.host
    _refused(scene.context(policy), scene.serve(scene.authority.issue("127.0.0.1")), host="127.0.0.1")


def test_an_unlisted_host_gets_no_byte(scene: Scene) -> None:
    """Under the default, a connection to a host without an entry ends before the ClientHello."""
    server = scene.serve(scene.genuine)
    error = _refused(scene.context(scene.policy(host="other.test")), server)
    assert pinscher.Outcome.UNLISTED_HOST is error.verdict.outcome
    assert None is server.evidence[0].server_name


def test_a_denied_key_is_refused_beside_a_matching_pin(scene: Scene) -> None:
    """A denied key anywhere on the chain is refused although another certificate of the chain is pinned."""
    policy = scene.policy(
        pinscher.Pin.of(scene.root.certificate),
        more=f'denied-keys = ["{pinscher.Pin.of(scene.authority.certificate)}"]',
    )
    assert pinscher.Outcome.DENIED_KEY is _refused(scene.context(policy), scene.serve(scene.genuine)).verdict.outcome


def test_report_only_lets_through_and_tells(scene: Scene) -> None:
    """A report-only entry never refuses for a pin-side reason, and refuses for a TLS-side one like any other."""
    policy = scene.policy(more='mode = "report-only"\nreport-only-since = 2026-11-01')
    context = scene.context(policy)
    with wrapped(context, scene.serve(scene.rogue)) as secured:
        secured.sendall(SECRET)
    assert ["NO_MATCHING_PIN"] == scene.outcomes()
    with pytest.raises(ssl.SSLCertVerificationError), wrapped(context, scene.serve(scene.root.twin().issue(HOST))):
        pass


@pytest.mark.parametrize("on_expiry", ["keep-enforcing", "report", "fail"])
def test_expiry_does_what_the_policy_says(scene: Scene, on_expiry: str) -> None:
    """Past expires, the default keeps enforcing, "report" only reports, and "fail" refuses the genuine server too."""
    policy = scene.policy(more=f'expires = 2026-01-01T00:00:00Z\non-expiry = "{on_expiry}"')
    context = scene.context(policy, now=lambda: datetime(2026, 1, 2, tzinfo=UTC))
    genuine, rogue = scene.serve(scene.genuine), scene.serve(scene.rogue)
    if on_expiry == "fail":
        assert pinscher.Outcome.POLICY_EXPIRED is _refused(context, genuine).verdict.outcome
    else:
        with wrapped(context, genuine) as secured:
            assert secured.verdict.is_expired
    if on_expiry == "report":
        with wrapped(context, rogue) as secured:
            assert "NO_MATCHING_PIN" == secured.verdict.outcome.name
    else:
        _refused(context, rogue)


def _raise(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize("error", [ValueError("x"), RecursionError(), MemoryError(), AssertionError("\x1b[31m")])
@pytest.mark.parametrize("place", ["clock", "look-up", "judgement"])
def test_an_error_inside_the_check_is_a_refusal(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, error: Exception, place: str
) -> None:
    """Whatever goes wrong inside the check ends in the documented error, for the genuine server too."""
    context = scene.context(now=(lambda: _raise(error)) if place == "clock" else None)
    if place == "look-up":
        monkeypatch.setattr(pinscher.Policy, "lookup_canonical", lambda *_: _raise(error))
    if place == "judgement":
        monkeypatch.setattr("pinscher.tls.judgement.evaluate_entry", lambda *_, **__: _raise(error))
    refused = _refused(context, scene.serve(scene.genuine))
    assert pinscher.Outcome.CHAIN_NOT_VALIDATED is refused.verdict.outcome
    assert type(error).__name__ in refused.verdict.detail
    assert "\x1b" not in str(refused)


def test_a_naive_clock_is_a_refusal(scene: Scene) -> None:
    """A clock without a time zone cannot be compared with an expiry, so nothing passes by it."""
    policy = scene.policy(more='expires = 2027-01-01T00:00:00Z\non-expiry = "fail"')
    _refused(scene.context(policy, now=lambda: datetime(2026, 1, 1)), scene.serve(scene.genuine))  # noqa: DTZ001


@pytest.mark.parametrize("broken", ["diagnose", "explain"])
def test_a_broken_diagnosis_does_not_undo_a_refusal(scene: Scene, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    """The refusal stands, of the documented type and with its verdict, when its explanation fails."""
    monkeypatch.setattr(f"pinscher.tls.enforcement.{broken}", lambda *_: _raise(ValueError("x")))
    error = _refused(scene.context(), scene.serve(scene.rogue))
    assert pinscher.Outcome.NO_MATCHING_PIN is error.verdict.outcome
    assert error.verdict.id in str(error)


@pytest.mark.parametrize("error", [ValueError("x"), pytest.fail.Exception("x"), StopIteration()])
def test_on_verdict_is_isolated(scene: Scene, caplog: pytest.LogCaptureFixture, error: BaseException) -> None:
    """An exception in somebody's callback is logged and counted, and refuses no genuine connection."""
    context = scene.context(on_verdict=lambda _: _raise(error))
    with caplog.at_level(logging.ERROR), wrapped(context, scene.serve(scene.genuine)) as secured:
        secured.sendall(SECRET)
    assert ["on_verdict raised; the connection's verdict stands"] == caplog.messages
    _refused(context, scene.serve(scene.rogue))
    assert 2 == context.callback_failures


def test_on_verdict_may_end_the_program(scene: Scene) -> None:
    """A callback that raises KeyboardInterrupt or SystemExit is not swallowed; the decision stands before it."""
    context = scene.context(on_verdict=lambda _: _raise(KeyboardInterrupt()))
    server = scene.serve(scene.rogue)
    with wrapped(context, server, do_handshake_on_connect=False) as secured:
        with pytest.raises(KeyboardInterrupt):
            secured.do_handshake()
        with pytest.raises(pinscher.PinMismatchError):
            secured.sendall(SECRET)
    server.wait_idle()
    assert 0 == server.application_bytes


def test_one_attack_is_told_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same refusal is raised every time, told once a minute, and recorded under one id."""
    at = [1000.0]
    monkeypatch.setattr(record.time, "monotonic", lambda: at[0])
    context, server = scene.context(), scene.serve(scene.rogue)
    ids = {_refused(context, server).verdict.id for _ in range(3)}
    assert (1, 1, 1) == (len(ids), len(scene.told), len(context.verdicts))
    at[0] += record.QUIET_SECONDS
    _refused(context, server)
    assert 2 == len(scene.told)
    server.show(scene.authority.issue(HOST))
    assert _refused(context, server).verdict.id not in ids
    assert 3 == len(scene.told)


def test_the_record_is_bounded(scene: Scene) -> None:
    """A server with a new key for every connection fills no memory."""
    context, server = scene.context(), scene.serve(scene.rogue)
    for _ in range(record.REFUSALS_KEPT + 3):
        server.show(scene.authority.issue(HOST))
        with pytest.raises(pinscher.PinMismatchError), wrapped(context, server):
            pass
    assert record.REFUSALS_KEPT == len(context.verdicts) == len(context._bench.record._told)


def test_a_policy_is_replaced_while_running(scene: Scene) -> None:
    """A new policy judges every later connection, and the handshake in flight is judged by it alone."""
    context = scene.context()
    genuine, rogue = scene.serve(scene.genuine), scene.serve(scene.rogue)
    other = scene.policy(pinscher.Pin.of(scene.rogue.der), version=2)
    with wrapped(context, genuine, do_handshake_on_connect=False) as secured:
        context.policy = other
        with pytest.raises(pinscher.PinMismatchError) as caught:
            secured.sendall(SECRET)
        assert other is caught.value.verdict.policy
    with wrapped(context, rogue) as secured:
        assert (other, 2) == (secured.verdict.policy, secured.verdict.policy.version)
    assert other is context.policy


def test_a_policy_replaced_during_the_judgement_judges_again(scene: Scene) -> None:
    """A connection that was let through by a policy that is no longer in force is judged again before it opens."""
    other = scene.policy(pinscher.Pin.of(scene.rogue.der), version=2)

    def swap() -> datetime:
        context.policy = other
        return datetime.now(UTC)

    context = scene.context(now=swap)
    server = scene.serve(scene.genuine)
    error = _refused(context, server)
    assert (2, ()) == (error.verdict.policy.version, context.connections)


def test_swaps_against_connections_show_no_torn_verdict(scene: Scene) -> None:
    """While two policies replace each other, every connection is judged by exactly one of them."""
    genuine_only = scene.policy()
    rogue_only = scene.policy(pinscher.Pin.of(scene.rogue.der), version=2)
    context = scene.context(on_verdict=None)
    servers = {1: scene.serve(scene.genuine), 2: scene.serve(scene.rogue)}
    done, torn = threading.Event(), []

    def swap() -> None:
        while not done.wait(0.0005):
            context.policy = rogue_only
            context.policy = genuine_only

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for turn in range(100):
            version = 1 + turn % 2
            try:
                with wrapped(context, servers[version]) as secured:
                    allowed = secured.verdict
            except pinscher.PinMismatchError as error:
                if error.verdict.policy.version == version:
                    torn.append(error.verdict)
            else:
                if allowed.policy.version != version:
                    torn.append(allowed)
    finally:
        done.set()
        swapper.join()
    assert [] == torn


def test_a_key_that_changes_between_connections_is_refused(scene: Scene) -> None:
    """The connection that carries data is the one that is checked; what an earlier one showed proves nothing."""
    context, server = scene.context(), scene.serve(scene.genuine)
    with wrapped(context, server):
        pass
    server.show(scene.rogue)
    assert "a new key under the same CA key" in str(_refused(context, server))


def test_threads_share_a_context(scene: Scene) -> None:
    """Eight threads on one context, genuine and rogue servers mixed, make no wrong decision."""
    context = scene.context(on_verdict=None)
    servers = scene.serve(scene.genuine), scene.serve(scene.rogue)
    wrong: list[int] = []

    def work(seed: int) -> None:
        for turn in range(10):
            is_rogue = (seed + turn) % 2
            try:
                with wrapped(context, servers[is_rogue]) as secured:
                    secured.sendall(b"!")
            except pinscher.PinMismatchError:
                wrong.extend([] if is_rogue else [seed])
            else:
                wrong.extend([seed] if is_rogue else [])

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == wrong
    servers[1].wait_idle()
    assert 0 == servers[1].application_bytes


def test_a_verdict_that_is_told_keeps_no_connection_alive(scene: Scene) -> None:
    """A verdict that ``on_verdict`` keeps holds its whole chain, and nothing of the connection it came from."""
    told: list[pinscher.Verdict] = []
    context = scene.context(on_verdict=told.append)
    server = scene.serve(scene.genuine)
    for _ in range(2):
        with wrapped(context, server):
            held_by_chain = {type(found) for found in gc.get_referents(told[-1].chain)}
    assert held_by_chain <= {tuple, type(None), type}


@pytest.mark.parametrize("unlisted", ["allow", "deny"])
def test_a_look_up_that_failed_once_is_made_again(scene: Scene, monkeypatch: pytest.MonkeyPatch, unlisted: str) -> None:
    """A look-up that breaks when the connection is made and works later never makes a listed host an unlisted one."""
    context = scene.context(scene.policy(top=f'[defaults]\nunlisted-hosts = "{unlisted}"'))
    look_up, breaks = pinscher.Policy.lookup_canonical, iter([ValueError("once")])

    def broken_once(policy: pinscher.Policy, canonical: str) -> Any:
        for error in breaks:
            raise error
        return look_up(policy, canonical)

    monkeypatch.setattr(pinscher.Policy, "lookup_canonical", broken_once)
    refused = _refused(context, scene.serve(scene.rogue))
    assert pinscher.Outcome.NO_MATCHING_PIN is refused.verdict.outcome
