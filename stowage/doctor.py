"""`stowage doctor`: looks at each part as a program would use it, and says what to do.

Looks only: it changes nothing and starts nothing. To add a check: one function that yields `Finding`s, and its
name in `CHECKS`.
"""

from __future__ import annotations

import shutil
import socket
import ssl
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import psycopg

from edge.broker import Broker
from routing.geo import Point
from stowage.config import NO_ERP, NO_ROADS, Settings, without_password
from stowage.parts import PartFailed
from stowage.parts.broker import accepts, find_mosquitto
from stowage.parts.node import find_node
from stowage.parts.postgres import EmbeddedPostgres
from stowage.run import SPACE_NEEDED, CannotRun, check_port, get

CLOCK_TOLERANCE_S = 2


@dataclass(frozen=True)
class Finding:
    mark: Literal["ok  ", "note", "FAIL"]
    name: str
    text: str


def ok(name: str, text: str) -> Finding:
    return Finding("ok  ", name, text)


def note(name: str, text: str) -> Finding:
    return Finding("note", name, text)


def fail(name: str, text: str) -> Finding:
    return Finding("FAIL", name, text)


def examine(settings: Settings, only: Collection[str] | None = None) -> Iterator[Finding]:
    """Every finding, or those of the parts named in `only`."""
    for name, check in CHECKS.items():
        if not only or name in only:
            yield from check(settings)


@contextmanager
def database(settings: Settings) -> Iterator[str]:
    """The user's database, else the embedded one: as it runs now, or started for as long as this lasts."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    part = EmbeddedPostgres(settings.data_dir / "postgres")
    if part.ready():
        yield part.url()
        return
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with part as url:
        yield url


# --- checks -----------------------------------------------------------------------------------------------


def python(_: Settings) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield ok("python", version)


def disk(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    text = f"{free / 2**30:.1f} GB free for {settings.data_dir.absolute()}"
    if free < SPACE_NEEDED:
        yield fail("disk", f"{text}; free at least {SPACE_NEEDED // 2**20} MB, or set STOWAGE_DATA_DIR")
    elif free < 4 * SPACE_NEEDED:
        yield note("disk", f"{text}; that will not last long")
    else:
        yield ok("disk", text)


def ports(settings: Settings) -> Iterator[Finding]:
    host, port = settings.http_host, settings.http_port
    if get(host, port, "/healthz") == (200, "ok"):
        yield ok("http", f"Stowage answers on {host}:{port}")
        return
    try:
        check_port(host, port)
        yield ok("http", f"{host}:{port} is free")
    except CannotRun as e:
        yield fail("http", str(e))


def database_health(settings: Settings) -> Iterator[Finding]:
    if settings.database_url is None:
        part = EmbeddedPostgres(settings.data_dir / "postgres")
        if not part.ready():
            yield ok("database", f"{part.describe()}, not running now; `stowage run` starts it")
            return
        url, shown = part.url(), part.describe()
    else:
        url, shown = settings.database_url, without_password(settings.database_url)
    try:
        connection = psycopg.connect(url, connect_timeout=5)
    except psycopg.OperationalError as e:
        reason = str(e).strip().splitlines()[0]
        yield fail("database", f"{shown} does not answer ({reason}); start it or check STOWAGE_DATABASE_URL")
        return
    with connection:
        yield from _inside_the_database(connection, shown)


def _inside_the_database(connection: psycopg.Connection[tuple[object, ...]], shown: str) -> Iterator[Finding]:
    from backend.db import APP_ROLE
    from backend.migrate import CannotMigrate, is_current

    server = connection.info.server_version
    if server < 150000:
        yield fail("database", f"{shown} is PostgreSQL {server // 10000}; Stowage needs 15 or newer")
        return
    yield ok("database", f"{shown} answers, PostgreSQL {server // 10000}.{server % 10000}")

    row = connection.execute("SELECT extract(epoch FROM clock_timestamp())").fetchone()
    assert row is not None
    skew_s = datetime.now(UTC).timestamp() - float(str(row[0]))
    if abs(skew_s) > CLOCK_TOLERANCE_S:
        yield fail(
            "clock", f"this machine's clock differs from the database's by {skew_s:+.1f} s; use NTP on both"
        )
    else:
        yield ok("clock", f"{skew_s * 1000:+.0f} ms against the database")

    try:
        if is_current(connection):
            yield ok("schema", "up to date")
        else:
            yield fail("schema", "older than this program; run `stowage migrate`")
    except CannotMigrate as e:
        yield fail("schema", str(e))

    may = connection.execute(
        "SELECT bool_or(pg_has_role(current_user, oid, 'MEMBER')) FROM pg_roles WHERE rolname = %s",
        [APP_ROLE],
    ).fetchone()
    if may is None or may[0] is None:
        yield fail("role", f"{APP_ROLE} does not exist; run `stowage migrate`")
    elif not may[0]:
        yield fail(
            "role",
            f"the database user may not become {APP_ROLE}; as administrator: GRANT {APP_ROLE} TO <user>",
        )
    else:
        yield ok("role", f"works as {APP_ROLE}, which does not own the tables")

    found = connection.execute(
        "SELECT installed_version FROM pg_available_extensions WHERE name = 'timescaledb'"
    ).fetchone()
    if found is None:
        yield ok("telemetry", "plain partitions; for more than a few readers use a server with TimescaleDB")
    elif found[0] is None:
        yield ok(
            "telemetry", "plain partitions, though TimescaleDB could be had: a new database would use it"
        )
    else:
        yield ok("telemetry", f"TimescaleDB {found[0]}")


def broker(settings: Settings) -> Iterator[Finding]:
    if settings.mqtt_url is None:
        program = find_mosquitto() if settings.broker != "amqtt" else None
        if program is not None:
            yield ok("broker", f"embedded: {program}")
        elif settings.broker == "mosquitto":
            yield fail("broker", "mosquitto is not installed; install it, or set STOWAGE_BROKER=auto")
        else:
            yield note("broker", "embedded: amqtt; install mosquitto for more than a demo")
        return
    shown, there = without_password(settings.mqtt_url), Broker.from_url(settings.mqtt_url)
    try:
        accepted = accepts(there)
    except ssl.SSLCertVerificationError as e:
        yield fail(
            "broker", f"{shown}: its certificate is not trusted ({e.verify_message}); for an authority of your "
            "own add ?ca_file=/path/to/ca.pem to STOWAGE_MQTT_URL"
        )  # fmt: skip
    except OSError as e:
        yield fail(
            "broker", f"{shown} does not answer ({e.strerror or e}); start it or check STOWAGE_MQTT_URL"
        )
    else:
        yield ok("broker", f"{shown} answers") if accepted else fail(
            "broker", f"{shown} refuses the account {there.username}; check the password in STOWAGE_MQTT_URL"
        )  # fmt: skip


def erp(settings: Settings) -> Iterator[Finding]:
    if settings.erp_url == NO_ERP:
        yield note("erp", "none; stock changes are not posted anywhere")
        return
    if settings.erp_url is None:
        yield ok("erp", "embedded Tryton; `stowage run` installs and starts it")
        return
    shown = without_password(settings.erp_url)
    parts = urlsplit(settings.erp_url)
    try:
        default_port = 443 if parts.scheme.endswith("https") else 80
        socket.create_connection((parts.hostname or "", parts.port or default_port), timeout=5).close()
    except OSError as e:
        yield fail(
            "erp", f"{shown} does not answer ({e.strerror or e}); postings wait. Check STOWAGE_ERP_URL"
        )
        return
    yield from _erp_log_in(settings.erp_url, shown)


def _erp_log_in(url: str, shown: str) -> Iterator[Finding]:
    if find_spec("backend.integration.erp.connect") is None:
        yield ok("erp", f"{shown} answers")
        return
    from backend.integration.erp.connect import UnknownErp, connect
    from backend.integration.erp.connector import ErpError

    try:
        connector = connect(url)
        try:
            yield ok("erp", f"{shown} accepts our account: {connector.identify()}")
        finally:
            connector.close()
    except (ErpError, UnknownErp) as e:
        yield fail("erp", f"{shown} refuses ({e}); postings wait. Check STOWAGE_ERP_URL")


def roads(settings: Settings) -> Iterator[Finding]:
    if settings.roads_url == NO_ROADS:
        yield note("roads", "none; deliveries cannot be planned")
        return
    if settings.roads_url is None:
        from stowage.parts.roads import OSRM

        where = settings.map_dir or "central Helsinki"
        yield ok("roads", f"embedded OSRM {OSRM.version}, map: {where}; `stowage run` fetches and starts it")
        return
    from routing.roads import Roads, RoadsDown, RoadsRefused

    server = Roads(settings.roads_url, timeout_s=5)
    middle = _middle_of_the_map(settings)
    try:
        snap = server.nearest(middle or Point(0, 0))
        far = middle is not None and snap.snap_m > 20_000
        if far:
            yield fail(
                "roads",
                f"{settings.roads_url} has other roads than the map: the next is {snap.snap_m // 1000} km away",
            )
        else:
            yield ok("roads", f"{settings.roads_url} answers")
    except (RoadsDown, RoadsRefused) as e:
        yield fail("roads", str(e))
    finally:
        server.close()


def map_folder(settings: Settings) -> Iterator[Finding]:
    if settings.map_dir is None:
        if settings.roads_url not in (None, NO_ROADS):
            yield note(
                "map", "none: no picture and no addresses; `stowage roads build`, then set STOWAGE_MAP_DIR"
            )
        return
    from routing.addresses import Addresses, AddressesUnreadable
    from routing.map_tiles import MapTiles, MapUnreadable

    try:
        info = MapTiles.open(settings.map_dir / "tiles.mbtiles").info
        Addresses.open(settings.map_dir / "addresses.sqlite")
        yield ok("map", f"{info.name} in {settings.map_dir}")
    except (MapUnreadable, AddressesUnreadable) as e:
        yield fail("map", str(e))


def _middle_of_the_map(settings: Settings) -> Point | None:
    from routing.map_tiles import MapTiles, MapUnreadable

    if settings.map_dir is None:
        return None
    try:
        lon, lat = MapTiles.open(settings.map_dir / "tiles.mbtiles").info.center
    except MapUnreadable:
        return None
    return Point(lat, lon)


def screens(settings: Settings) -> Iterator[Finding]:
    if settings.web_root is not None:
        there = (settings.web_root / "index.html").is_file()
        yield (
            ok("screens", f"{settings.web_root}")
            if there
            else fail(
                "screens",
                f"{settings.web_root} has no index.html; build `dashboards/` or unset STOWAGE_WEB_ROOT",
            )
        )
        return
    try:
        yield ok("screens", f"built with {find_node().describe()}")
    except PartFailed as e:
        yield fail("screens", str(e))


def agents(settings: Settings) -> Iterator[Finding]:
    if settings.edge_config is not None and not Path(settings.edge_config).is_file():
        yield fail("edge", f"there is no file {settings.edge_config}; check STOWAGE_EDGE_CONFIG")


CHECKS: dict[str, Callable[[Settings], Iterator[Finding]]] = {
    "python": python,
    "disk": disk,
    "http": ports,
    "database": database_health,
    "broker": broker,
    "erp": erp,
    "roads": roads,
    "map": map_folder,
    "screens": screens,
    "edge": agents,
}
