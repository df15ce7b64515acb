"""
Source for Swift: a ``URLSessionDelegate``, and an evaluator for Alamofire where that is linked.

The system validates first; the pins are then looked for on the chain that it validated. The rules are those of
``emitted.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.formats.emitted import filled, rules_of
from pinscher.formats.format import Format
from pinscher.formats.loss import LossLedger
from pinscher.formats.text_form import literal

if TYPE_CHECKING:
    from pinscher.formats.emitted import Rule
    from pinscher.formats.format import Choices
    from pinscher.policy import Policy

_NAME = "swift"


def write(policy: Policy, choices: Choices) -> bytes:
    """Return the source, or raise ``FormatLossError``."""
    losses = LossLedger(_NAME, choices.accepted)
    rules = rules_of(policy, losses)
    text = _SOURCE if rules else _SOURCE.replace("[\n@TABLE@\n    ]", "[:]")
    return filled(text, policy, rules, losses.settle(), _line)


def _line(rule: Rule) -> str:
    pins, denied = (", ".join(map(literal, some)) for some in (rule.pins, rule.denied))
    values = f"enforced: {str(rule.is_enforced).lower()}, pins: [{pins}], denied: [{denied}]"
    return f"        {literal(rule.pattern)}: Rule({values}, opens: {rule.opens}, closes: {rule.closes}),"


_SOURCE = """\
import CryptoKit
import Foundation
import Security

/// Checks the keys of TLS servers beside the system's own validation. iOS 15, macOS 12 and later.
enum Pins {
    private struct Rule {
        let enforced: Bool
        let pins: [String]
        let denied: [String]
        let opens: Int64
        let closes: Int64
    }

    private static let allowsUnlistedHosts = @UNLISTED@

    private static let rules: [String: Rule] = [
@TABLE@
    ]

    private static func find(_ host: String) -> Rule? {
        var name = host.lowercased()
        if name.hasSuffix(".") { name.removeLast() }
        let labels = name.components(separatedBy: ".")
        var candidates = [name, "**." + name, "*." + labels.dropFirst().joined(separator: ".")]
        for at in 1..<max(labels.count, 1) {
            candidates.append("**." + labels[at...].joined(separator: "."))
        }
        return candidates.lazy.compactMap { rules[$0] }.first
    }

    /// Tells whether a validated chain with these pins is accepted for a host.
    static func accepts(host: String, chain: Set<String>, at moment: Date = Date()) -> Bool {
        guard let rule = find(host) else { return allowsUnlistedHosts }
        let now = Int64(moment.timeIntervalSince1970 * 1000)
        if !rule.enforced || (rule.opens != 0 && now > rule.opens) { return true }
        if !chain.isDisjoint(with: rule.denied) { return false }
        if rule.closes != 0 && now > rule.closes { return false }
        return !chain.isDisjoint(with: rule.pins)
    }

    /// Validates the trust for the host as the system does, then checks the pins of the chain that was validated.
    static func accepts(_ trust: SecTrust, host: String) -> Bool {
        SecTrustSetPolicies(trust, SecPolicyCreateSSL(true, host as CFString))
        guard SecTrustEvaluateWithError(trust, nil),
              let chain = SecTrustCopyCertificateChain(trust) as? [SecCertificate] else { return false }
        var pins = Set<String>()
        for certificate in chain {
            let der = Array(SecCertificateCopyData(certificate) as Data)
            guard let key = publicKeyInfo(der) else { return false }
            pins.insert("sha256/" + encoded(key))
            pins.insert("cert-sha256/" + encoded(der[...]))
        }
        return accepts(host: host, chain: pins)
    }

    private static func encoded(_ bytes: ArraySlice<UInt8>) -> String {
        Data(SHA256.hash(data: Data(bytes))).base64EncodedString()
    }

    private static func element(_ der: [UInt8], _ offset: Int) -> (content: Int, end: Int)? {
        guard offset + 2 <= der.count else { return nil }
        var length = Int(der[offset + 1])
        var content = offset + 2
        if length & 0x80 != 0 {
            let octets = length & 0x7f
            guard octets > 0, octets <= 4, content + octets <= der.count else { return nil }
            length = der[content..<(content + octets)].reduce(0) { $0 << 8 | Int($1) }
            content += octets
        }
        return content + length <= der.count ? (content, content + length) : nil
    }

    /// Returns the subjectPublicKeyInfo byte for byte.
    private static func publicKeyInfo(_ der: [UInt8]) -> ArraySlice<UInt8>? {
        guard let certificate = element(der, 0), let body = element(der, certificate.content),
              body.content < der.count else { return nil }
        var offset = body.content
        for _ in 0..<(der[offset] == 0xa0 ? 6 : 5) {
            guard let field = element(der, offset), field.end < der.count else { return nil }
            offset = field.end
        }
        guard let key = element(der, offset) else { return nil }
        return der[offset..<key.end]
    }
}

/// A session delegate that refuses what the pins refuse.
final class PinningDelegate: NSObject, URLSessionDelegate {
    func urlSession(
        _ session: URLSession,
        didReceive challenge: URLAuthenticationChallenge,
        completionHandler: @escaping (URLSession.AuthChallengeDisposition, URLCredential?) -> Void
    ) {
        let space = challenge.protectionSpace
        guard space.authenticationMethod == NSURLAuthenticationMethodServerTrust else {
            return completionHandler(.performDefaultHandling, nil)
        }
        guard let trust = space.serverTrust, Pins.accepts(trust, host: space.host) else {
            return completionHandler(.cancelAuthenticationChallenge, nil)
        }
        completionHandler(.useCredential, URLCredential(trust: trust))
    }
}

#if canImport(Alamofire)
import Alamofire

/// A manager for `Session(serverTrustManager: PinningManager())` that asks the pins for every host.
final class PinningManager: ServerTrustManager {
    init() { super.init(allHostsMustBeEvaluated: true, evaluators: [:]) }

    override func serverTrustEvaluator(forHost host: String) throws -> ServerTrustEvaluating? { Evaluator() }

    private struct Evaluator: ServerTrustEvaluating {
        func evaluate(_ trust: SecTrust, forHost host: String) throws {
            guard Pins.accepts(trust, host: host) else {
                throw AFError.serverTrustEvaluationFailed(reason: .noRequiredEvaluator(host: host))
            }
        }
    }
}
#endif
"""

FORMAT = Format(
    name=_NAME, title="Swift source (URLSession, Alamofire)", file_name="Pins.swift", read=None, write=write
)
