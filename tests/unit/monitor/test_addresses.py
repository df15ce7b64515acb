"""Where a database and a broker are, and that nobody is told the password."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pinscher.cli.app import run
from pinscher.monitor.addresses import broker_url, database_url
from pinscher.monitor.database import Database
from pinscher.monitor.errors import DatabaseUnusableError, MonitorError

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "swordfish-4711"
PINS = f'format = 1\nname = "x"\nversion = 1\n[hosts."a.example"]\npins = ["sha256/{"A" * 43}="]\n'


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
def test_postgresql_is_reached_by_its_asynchronous_driver(scheme: str) -> None:
    """The name of libpq for verification is the driver's, and everything else is as it was given."""
    url = database_url(f"{scheme}://ada:{SECRET}@db.example:5433/pins?sslmode=verify-full&application_name=x")
    shown = f"postgresql+asyncpg://ada:{SECRET}@db.example:5433/pins?application_name=x&ssl=verify-full"
    assert shown == url.render_as_string(hide_password=False)


@pytest.mark.parametrize(
    "text",
    [
        "", "pins", f"mysql://ada:{SECRET}@db.example/pins", f"postgresql://ada:{SECRET}@db.example",
        f"postgresql://ada:p@{SECRET}:x/pins", f"sqlite:///{SECRET}",
    ],
)  # fmt: skip
def test_an_address_of_no_database_is_refused_in_silence_about_it(text: str) -> None:
    """Whatever is wrong with an address, nothing of it is repeated."""
    with pytest.raises(MonitorError, match="the database's address cannot be read, expected postgresql://") as error:
        database_url(text)
    assert SECRET not in str(error.value)
    assert error.value.__cause__ is None


@pytest.mark.parametrize(
    "text", ["", "nats", f"http://ada:{SECRET}@n.example", f"nats://ada:{SECRET}@", f"nats://n:{SECRET}", "nats://n:0"]
)
def test_an_address_of_no_broker_is_refused_in_silence_about_it(text: str) -> None:
    """Another scheme, no host and no port that there is."""
    with pytest.raises(MonitorError, match="the broker's address cannot be read, expected nats://") as error:
        broker_url(text)
    assert SECRET not in str(error.value)


def test_an_address_may_be_in_a_file(tmp_path: Path) -> None:
    """The first line of the file is the address; a file that is not there is named."""
    (tmp_path / "broker").write_text(f"tls://ada:{SECRET}@n.example:4222 \nsecond line\n")
    assert f"tls://ada:{SECRET}@n.example:4222" == broker_url(f"@{tmp_path / 'broker'}")
    with pytest.raises(MonitorError, match=r"missing' cannot be read: no such file"):
        broker_url(f"@{tmp_path / 'missing'}")


@pytest.mark.anyio
async def test_a_server_that_says_the_password_is_not_repeated() -> None:
    """What a driver says of a database has no password in it."""
    from pinscher.monitor.database import _reason

    assert "no role ***" == _reason(ValueError(f"no role {SECRET}"), SECRET)
    with pytest.raises(DatabaseUnusableError, match="cannot be used") as error:
        await Database.open(database_url(f"postgresql://ada:{SECRET}@127.0.0.1:9/pins"))
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--data"),
        (["--data", "x", "--role", "web"], "--role web takes a part of several processes"),
        (["--data", "x", "--role", "cook"], "'cook' is not one of"),
    ],
)
def test_a_place_is_said_in_full(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """A folder or a database is asked for, and a part of several processes needs the database that they share."""
    (tmp_path / "pins.toml").write_text(PINS)
    assert 2 == run(["serve", "--policy", str(tmp_path / "pins.toml"), *arguments])
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--database", f"postgresql://ada:{SECRET}@127.0.0.1:9/pins"], "cannot be used"),
        (["--database", f"oracle://ada:{SECRET}@127.0.0.1:9/pins"], "the database's address cannot be read"),
        (["--broker", f"amqp://ada:{SECRET}@127.0.0.1:9"], "the broker's address cannot be read"),
        (["--broker", f"nats://ada:{SECRET}@127.0.0.1:9"], "the broker cannot be used"),
        (["--vantage", "Über"], "cannot be named so"),
    ],
)
def test_no_error_of_the_command_tells_a_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """Each address that is wrong or not there ends the command, with a reason and without the address."""
    (tmp_path / "pins.toml").write_text(PINS)
    kept = [] if "--database" in arguments else ["--data", str(tmp_path / "data")]
    whole = ["serve", "--policy", str(tmp_path / "pins.toml"), *kept, *arguments]
    assert 2 == run([*whole, "--listen", "127.0.0.1:0"])
    told = capsys.readouterr()
    assert said in told.err
    assert SECRET not in told.out + told.err
