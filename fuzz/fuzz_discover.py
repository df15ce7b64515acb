"""
Fuzz every reader of discover: any bytes give finds and at most the one error, and no finding says more than it may.

Run with atheris where it is installed; without it, with the seconds to spend: ``python fuzz/fuzz_discover.py 60``.
"""

from __future__ import annotations

import io
import zipfile

from runner import run

from pinscher.discover import READERS, Inventory, read_stream
from pinscher.discover.matters import vocabulary
from pinscher.discover.sighting import Source
from pinscher.discover.watching import read_records
from pinscher.host import canonical_host

NAMES = sorted(READERS)
SUFFIXES = (".py", ".js", ".kt")
WATCHED = len(NAMES)


def one_input(content: bytes) -> None:
    """Give the octets after the first to the reader that the first selects."""
    chosen = content[0] % (len(NAMES) + 1) if content else 0
    inventory = Inventory()
    if chosen == WATCHED:
        for find in read_records(Source("watched", io.BytesIO(content[1:]))):
            inventory.add(find)
    else:
        name = f"file{SUFFIXES[content[0] // 16 % 3]}" if content else "file.py"
        error = read_stream(name, io.BytesIO(content[1:]), inventory, reader=NAMES[chosen])
        assert error is None or (str(error).isprintable() and len(str(error)) < 500), error
    for host, endpoint in inventory.endpoints.items():
        assert host == canonical_host(host)
        assert vocabulary().issuperset(endpoint.crossed | endpoint.beside)


def seeds() -> list[bytes]:
    """Return a file for every reader, with the octet that selects it."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("classes.dex", b"\0https://a.example/x\0")
    line = b'a.example 10.0.0.1 - bob [10/Oct/2026:13:55:36 +0000] "POST /transfer?token=x HTTP/1.1" 200 1\n'
    contents = {
        "har": b'{"log":{"entries":[{"request":{"method":"POST","url":"https://u:p@a.example/pay?otp=1","headers":'
        b'[{"name":"Cookie","value":"sid=1"}],"postData":{"text":"iban=1"}},"_securityDetails":{"issuer":"O=Amazon"}}]}}',
        "flows": b"138:7:request;115:6:scheme,5:https,9:authority,9:a.example,4:path,2:/x,6:method,4:POST,"
        b"7:headers]24:20:6:Cookie,5:sid=1,]]7:content,6:iban=1,}}",
        "openapi-json": b'{"openapi":"3.0.0","servers":[{"url":"https://{e}.a.example","variables":{"e":{"default":"b"}}}]}',
        "openapi-yaml": b"swagger: '2.0'\nhost: a.example\nschemes: [https]\nx: &a {properties: {iban: {}}}\ny: *a\n",
        "log": line + b'{"host": "a.example", "uri": "/pay", "method": "POST"}\n',
        "settings": b"[db]\nhost = a.example:5432\npassword=x\nurl=https://a.example/\n",
        "json": b'{"db": {"hosts": ["a.example"], "password": "x"}}',
        "yaml": b"db:\n  host: a.example\n  password: x\n",
        "code": b'# x\nu = "https://a.example/"  # https://b.example\nd = """https://c.example"""\ntoken = 1\n',
        "package": package.getvalue(),
    }
    records = (
        b'{"host":"a.example","port":443,"how":"request","words":[["token","access token"]],"file":"a.py","line":1}\n'
    )
    return [bytes([NAMES.index(name)]) + content for name, content in contents.items()] + [bytes([WATCHED]) + records]


if __name__ == "__main__":
    run(one_input, seeds())
