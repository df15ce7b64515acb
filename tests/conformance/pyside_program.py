"""
A program of Qt's that posts a form; it prints what happened as JSON.

Usage: ``python pyside_program.py URL POLICY CA [ignore-errors]``.
"""

import json
import sys
from typing import Any

from PySide6.QtCore import QCoreApplication, QTimer, QUrl
from PySide6.QtNetwork import QNetworkReply, QNetworkRequest

import pinscher
from pinscher.clients.judge import Judge
from pinscher.clients.pyside import PinnedAccessManager

BODY = b"password=correct-horse-battery-staple"


def main(url: str, policy: str, ca: str, *words: str) -> None:
    """Post once, and print."""
    application = QCoreApplication([])
    judge = Judge(pinscher.Policy.load(policy), trust=ca)
    manager = PinnedAccessManager(judge)
    told: dict[str, Any] = {"outcome": None, "text": ""}

    def refused(_: QNetworkReply, error: Exception) -> None:
        verdict = pinscher.verdict_of(error)
        told.update(outcome=None if verdict is None else verdict.outcome.value, text=str(error))

    def finished(reply: QNetworkReply) -> None:
        told["status"] = reply.attribute(QNetworkRequest.Attribute.HttpStatusCodeAttribute)
        told["error"] = reply.error().name
        application.quit()

    manager.refused.connect(refused)
    manager.finished.connect(finished)
    request = QNetworkRequest(QUrl(url))
    request.setHeader(QNetworkRequest.KnownHeaders.ContentTypeHeader, "text/plain")
    reply = manager.post(request, BODY)
    if "ignore-errors" in words:
        reply.sslErrors.connect(lambda _: reply.ignoreSslErrors())
    QTimer.singleShot(20_000, application.quit)
    application.exec()
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
