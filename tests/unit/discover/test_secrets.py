"""No secret is ever stored or shown: secrets planted at every place of every format, every output searched."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pinscher.cli.app import run

SECRETS = st.text(st.sampled_from("abcXYZ0189-_.~+="), min_size=10, max_size=24).map(lambda text: f"zq{text}qz")


def netstring(value: Any) -> bytes:
    """Return a value as a tagged netstring."""
    if isinstance(value, dict):
        content, tag = b"".join(netstring(key) + netstring(item) for key, item in value.items()), b"}"
    elif isinstance(value, list):
        content, tag = b"".join(map(netstring, value)), b"]"
    else:
        content, tag = str(value).encode(), b","
    return b"%d:%s%s" % (len(content), content, tag)


def url(secret: str) -> str:
    """Return an address with a secret wherever an address has room for one."""
    return f"https://{secret}:{secret}@api.bank.example/{secret}/pay?{secret}&token={secret}&{secret}=1#{secret}"


def har(secret: str) -> str:
    """Return a HAR with a secret as every name and every value."""
    pairs = [
        {"name": name, "value": f"Bearer {secret}"}
        for name in ("Authorization", "Cookie", "Set-Cookie", secret, f"{secret}-token")
    ]
    texts = {"mimeType": secret, "text": json.dumps({secret: secret, "password": secret}), "params": pairs}
    request = {
        "method": secret,
        "url": url(secret),
        "headers": pairs,
        "cookies": pairs,
        "postData": texts,
        secret: secret,
    }
    response = {"headers": pairs, "cookies": pairs, "content": texts}
    entry = {"request": request, "response": response, "_securityDetails": {"issuer": secret}, "comment": secret}
    return json.dumps({"log": {"creator": secret, "entries": [entry, {"request": {"url": secret}}]}, secret: secret})


def flow(secret: str) -> bytes:
    """Return a flow with a secret as every name and every value."""
    pairs = [[name, secret] for name in ("Authorization", "Cookie", "Set-Cookie", "Host", secret, f"{secret}-token")]
    message = {"method": "POST", "scheme": "https", "authority": "api.bank.example", "path": f"/{secret}?{secret}",
               "headers": pairs, "content": f"{secret}={secret}&iban={secret}", secret: secret}  # fmt: skip
    return netstring({"request": message, "response": message, "server_conn": {"certificate_list": [secret]}}) * 2


def log(secret: str) -> str:
    """Return log lines with a secret at every place but the host's."""
    line = f'1.2.3.4 - {secret} [{secret}] "POST /{secret}?{secret}={secret} HTTP/1.1" 200 1 "{url(secret)}" "{secret}"'
    told = {
        "request": {"host": "api.bank.example", "uri": f"/{secret}", "headers": {secret: [secret], "Cookie": [secret]}}
    }
    proxied = f"1792000000.450 1 1.2.3.4 TCP_MISS/200 411 GET {url(secret)} {secret}"
    return f"www.bank.example {line}\n{line}\n{json.dumps(told)}\n{proxied}\n{secret} {secret}\n{{{secret}\n"


def code(secret: str, comment: str = "//") -> str:
    """Return lines that are code in more than one language, with a secret at every place."""
    return f'{comment} {secret} {url(secret)}\n{secret.strip("-")} = "{secret}"; a = "{url(secret)}"; {secret.strip("-")}_token = "{secret}-token"\n'


def files(secret: str) -> dict[str, bytes]:
    """Return one file or more of every format, each with the secret at every place that is not a host."""
    description: dict[str, Any] = {
        "openapi": "3.0.0", "info": {"title": secret}, "servers": [{"url": url(secret), "description": secret}],
        "paths": {f"/{secret}": {"post": {"parameters": [{"name": secret}], secret: secret}}},
        "components": {"schemas": {"A": {"properties": {secret: {"example": secret}, "iban": {"example": secret}}}},
                       "securitySchemes": {secret: {"type": secret, "scheme": secret}}},
    }  # fmt: skip
    settings = {
        secret: secret,
        f"{secret}_password": secret,
        "api_url": url(secret),
        "list": [secret, {secret: {secret: secret}}],
    }
    lines = "".join(f"{name}={value}\n" for name, value in settings.items()) + f"# {secret}\n{secret}\n"
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("classes.dex", f"\0{secret}\0{url(secret)}\0".encode() + url(secret).encode("utf-16-le"))
    texts = {
        "a.har": har(secret), "broken.har": har(secret)[:-30], "a.log": log(secret), "a.json": json.dumps(settings),
        "openapi.json": json.dumps(description), "openapi.yaml": yaml.safe_dump(description, sort_keys=False),
        "a.yaml": yaml.safe_dump(settings), "broken.yaml": f"{secret}: [{secret}", "broken.json": f'{{"{secret}": {secret}',
        ".env": lines, "a.ini": f"[{secret}]\n{lines}", "a.properties": lines, "a.toml": lines,
        "a.xml": f'<{secret} password="{secret}">{url(secret)} {secret}</{secret}>', "a.plist": f"<key>{secret}</key>",
        "a.py": code(secret, "#"), **{f"a.{suffix}": code(secret) for suffix in ("js", "ts", "kt", "java", "swift")},
    }  # fmt: skip
    return {name: text.encode() for name, text in texts.items()} | {
        "a.mitm": flow(secret), "broken.mitm": flow(secret)[:-9], "a.apk": package.getvalue(), "broken.apk": package.getvalue()[:-9],
    }  # fmt: skip


def outputs(arguments: list[str], folder: Path) -> str:
    """Return everything that two runs of the verb say, as text and as JSON, and the policy that they write."""
    streams = io.StringIO()
    with contextlib.redirect_stdout(streams), contextlib.redirect_stderr(streams):
        run(["discover", "--own", "bank.example", "--policy-out", str(folder / "draft.toml"), *arguments])
        run(["discover", "--json", *arguments])
    return streams.getvalue() + (folder / "draft.toml").read_text()


@given(SECRETS)
@settings(max_examples=6, deadline=None)
def test_no_secret_of_any_file_comes_out(secret: str) -> None:
    """Text, JSON, warnings and draft of every format, whole and broken, hold the host and never the secret."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        for file, content in files(secret).items():
            (folder / "in" / file).write_bytes(content)
        said = outputs([str(folder / "in")], folder)
        for file in files(secret):
            (folder / "draft.toml").unlink(missing_ok=True)
            (folder / "draft.toml").write_text("")
            streams = io.StringIO()
            with contextlib.redirect_stdout(streams), contextlib.redirect_stderr(streams):
                run(["discover", str(folder / "in" / file)])
            said += streams.getvalue()
    assert "api.bank.example" in said
    assert secret not in said
    assert secret.lower() not in said.lower()


def test_every_format_finds_its_host(tmp_path: Path) -> None:
    """Each of the files in which secrets are planted is read, and names the host: the test above looks at something."""
    seen = set()
    for name, content in files("zqSECRETqz").items():
        (tmp_path / name).write_bytes(content)
        streams = io.StringIO()
        with contextlib.redirect_stdout(streams), contextlib.redirect_stderr(io.StringIO()):
            run(["discover", str(tmp_path / name)])
        if "bank.example" in streams.getvalue():
            seen.add(name)
    silent = {"broken.yaml", "broken.json", "a.plist", "broken.apk"}
    assert set(files("x")) - silent == seen


@pytest.mark.parametrize("place", ["path", "query", "header", "body", "user"])
def test_no_secret_of_a_watched_program_comes_out(tmp_path: Path, place: str) -> None:
    """What a watched program sends is named and never written down, neither shown nor kept beside."""
    secret = "zqS3cretqz"
    parts = {one: secret if one == place else "x" for one in ("path", "query", "header", "body", "user")}
    program = tmp_path / "app.py"
    program.write_text(
        "import socket, http.client, urllib.request\n"
        "with socket.create_server(('127.0.0.1', 0)) as server:\n"
        "    port = server.getsockname()[1]\n"
        "    client = http.client.HTTPConnection('127.0.0.1', port)\n"
        f"    client.request('POST', '/{parts['path']}?token={parts['query']}', body='iban={parts['body']}',\n"
        f"                   headers={{'Authorization': 'Basic {parts['header']}'}})\n"
        "    client.close()\n"
        f"try:\n    urllib.request.urlopen(f'http://{parts['user']}:x@127.0.0.1.invalid:{{port}}/', timeout=1)\n"
        "except OSError:\n    pass\n"
    )
    streams = io.StringIO()
    with contextlib.redirect_stdout(streams), contextlib.redirect_stderr(streams):
        run(["discover", "--json", "--", sys.executable, str(program)])
    assert '"authorization basic"' in streams.getvalue()
    assert secret not in streams.getvalue()
