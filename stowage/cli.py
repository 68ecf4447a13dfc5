"""The command `stowage`: every program of the system, and the tools to run it.

Each command reads the settings, calls one function of the room that does the work, and turns the errors that a
person can act on into one sentence and exit code 1 (a wrong configuration: 2). To add a command: one function here.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import time
import tomllib
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn
from uuid import UUID

import typer

from stowage import config, logs
from stowage.config import Settings, SettingsInvalid

if TYPE_CHECKING:
    from backend.db import Conn

FileFormat = Literal["auto", "solomon", "lilim", "vrplib", "json"]
Objective = Literal["distance", "vehicles"]
Rounding = Literal["dimacs", "exact", "nearest"]

app = typer.Typer(
    help="Stowage: an open system for connected warehouses.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
roads_app = typer.Typer(help="The map that deliveries are planned on.", no_args_is_help=True)
app.add_typer(roads_app, name="roads")


def main() -> None:
    try:
        app()
    except SettingsInvalid as e:
        _end(str(e), 2)
    except Exception as e:
        if not _is_a_sentence(e):
            raise
        _end(str(e), 1)


def _is_a_sentence(e: Exception) -> bool:
    """Errors whose text is made for the person at the terminal. Rooms are imported only when they were used."""
    kinds = [("stowage.run", "CannotRun"), ("stowage.backup", "BackupFailed"), ("backend.migrate", "CannotMigrate"),
             ("backend.db", "DatabaseUnreachable"), ("stowage.parts", "PartFailed"), ("edge.config", "BadConfig"),
             ("edge.spool", "SpoolError"), ("edge.enrol", "EnrolmentFailed"),
             ("backend.errors", "Refused"), ("routing.formats.instance", "BadFile"), ("routing.solve", "BadProblem")]  # fmt: skip
    return any(isinstance(e, getattr(sys.modules.get(module), name, ())) for module, name in kinds)


def _end(sentence: str, code: int) -> NoReturn:
    print(f"stowage: {sentence}", file=sys.stderr, flush=True)
    sys.stderr.flush()
    sys.exit(code)


# --- the whole system -------------------------------------------------------------------------------------


@app.command()
def run(empty: Annotated[bool, typer.Option("--empty", help="Without the demo warehouse.")] = False) -> None:
    """Start everything on this machine: database, broker, ERP, our programs, and the demo warehouse."""
    from stowage.run import run as run_everything

    run_everything(config.load(), demo=not empty)


# --- one program each -------------------------------------------------------------------------------------


@app.command()
def api() -> None:
    """Serve the HTTP API and the screens."""
    settings = _program("api")
    database_url = _database(settings)
    import uvicorn

    from backend.app import create_app
    from stowage.run import check_port

    check_port(settings.http_host, settings.http_port)
    _maps(settings)
    application = create_app(
        database_url, web_root=settings.web_root, erp_url=_erp(settings), mqtt_url=settings.mqtt_url
    )
    uvicorn.run(
        application,
        host=settings.http_host,
        port=settings.http_port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=3,
        ws_max_size=64 * 1024,
    )


@app.command()
def ingest() -> None:
    """Take the agents' events from the broker into the database."""
    settings = _program("ingest")
    database_url, mqtt_url = _database(settings), _broker(settings)
    from backend.ingest import run as run_ingest

    _maps(settings)
    run_ingest(database_url, mqtt_url, stop_on_signal())


@app.command()
def worker() -> None:
    """Do the jobs: postings to the ERP, webhooks, planning, retention, and the agents' accounts at the broker."""
    settings = _program("worker")
    database_url = _database(settings)
    from backend.worker import run as run_worker

    _maps(settings)
    run_worker(database_url, _erp(settings), stop_on_signal(), settings.mqtt_access_dir, settings.mqtt_url)


@app.command()
def edge(
    configuration: Annotated[
        Path | None, typer.Option("--config", help="The agent's TOML file (edge_config).")
    ] = None,
    enrol: Annotated[
        str | None,
        typer.Option(help="One-time code from the devices screen: fetch this agent's secret first."),
    ] = None,
    api_url: Annotated[
        str, typer.Option("--api", help="Where the backend is, for --enrol.")
    ] = "http://127.0.0.1:8800",
) -> None:
    """Run one agent beside its devices."""
    settings = _program("edge")
    path = configuration or settings.edge_config or Path("edge.toml")
    if not path.is_file():
        _end(f"there is no file {path}; copy edge/sample.toml and describe your devices in it", 2)
    from edge.agent import run as run_agent
    from edge.enrol import enrol as fetch_secret

    if enrol is not None:
        agent = fetch_secret(api_url, enrol, _agent_data_dir(path))
        print(f"enrolled as {agent.agent} of {agent.site}", flush=True)
    run_agent(path, stop_on_signal())


@app.command(hidden=True)
def demo() -> None:
    """Move the goods and people of the demo warehouse, and emulate its devices."""
    from stowage.demo.run import run as run_demo

    settings = _program("demo")
    run_demo(settings, stop_on_signal())


@app.command(hidden=True)
def devices() -> None:
    """Only the demo's devices and people and the agents beside them, for a backend that runs elsewhere."""
    from stowage.run import run_devices

    run_devices(config.load())


# --- tools ------------------------------------------------------------------------------------------------


@app.command()
def migrate() -> None:
    """Bring the database to this version's schema."""
    from backend.migrate import migrate as migrate_database

    with _with_database(config.load()) as url:
        applied = migrate_database(url, say=print)
    print(f"{len(applied)} migrations applied" if applied else "the database is up to date")


@app.command()
def admin(name: Annotated[str, typer.Argument(help="Lower-case letters, digits, `.`, `_`, `-`.")]) -> None:
    """Make an administrator, or give one a new password; prints it once."""
    from backend.auth.administrator import make_administrator
    from backend.db import connect

    if not re.fullmatch(r"[a-z0-9][a-z0-9_.\-]{0,62}", name):
        _end(f"{name} cannot be a user name; use lower-case letters, digits, `.`, `_`, `-`", 2)
    with _with_database(config.load()) as url, connect(url) as connection:
        print(f"{name} / {make_administrator(connection, name)}")


@app.command()
def verify() -> None:
    """Rebuild every balance, and what vans have aboard, from the movements and compare. Exit code 1 when they differ."""
    from backend import dispatch
    from backend.db import connect
    from backend.ledger import verify as verify_ledger

    with _with_database(config.load()) as url, connect(url) as connection:
        mismatches = verify_ledger(connection) + dispatch.verify(connection)
    for mismatch in mismatches:
        print(mismatch)
    if mismatches:
        _end(f"{len(mismatches)} balances differ from their movements", 1)
    print("every balance equals the sum of its movements")


@app.command()
def doctor(
    only: Annotated[
        list[str] | None,
        typer.Option(help="Look at this part only: database, broker, erp, ... (repeatable)."),
    ] = None,
) -> None:
    """Check each part and say what to do. Exit code 1 when something must be done."""
    from stowage.doctor import examine

    try:
        settings = config.load()
    except SettingsInvalid as e:
        _end(str(e), 2)
    sick = 0
    for finding in examine(settings, only):
        print(f"{finding.mark}  {finding.name:<12} {finding.text}", flush=True)
        sick += finding.mark == "FAIL"
    if sick:
        _end(f"{sick} of the parts need attention", 1)


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="The file to write; it must not exist yet.")]) -> None:
    """Write the whole database into one file, consistent as of one moment, while everything runs."""
    from stowage.backup import backup as back_up

    with _with_database(config.load()) as url:
        print(back_up(url, file))


@app.command()
def restore(file: Annotated[Path, typer.Argument(help="A file that `stowage backup` wrote.")]) -> None:
    """Read a backup into an empty database."""
    from stowage.backup import restore as read_back

    with _with_database(config.load()) as url:
        print(read_back(url, file))


@app.command("import")
def import_file(
    kind: Annotated[
        str, typer.Argument(help="items, places, partners, supplier-items, opening-stock or asns.")
    ],
    file: Annotated[Path, typer.Argument(help="A CSV file.")],
    site: Annotated[
        str | None, typer.Option(help="Code of the site; needed where there are several.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
) -> None:
    """Take a CSV file into the database: all of it, or nothing and every error with its row."""
    from backend.catalog.imports import decode, import_csv
    from backend.context import system_context
    from backend.db import connect

    try:
        text = decode(file.read_bytes())
    except OSError as e:
        _end(f"cannot read {file}: {e.strerror}", 2)
    with _with_database(config.load()) as url, connect(url) as connection:
        context = system_context("job:stowage import", _site(connection, site))
        connection.execute("select set_config('stowage.actor', %s, true)", [context.actor])
        report = import_csv(connection, context, kind, text, dry_run, file_name=file.name)
    for error in report.errors:
        print(f"{file}:{error.row}: {error.column or ''}: {error.detail}  ({error.value!r})")
    if report.errors:
        _end(f"{len(report.errors)} errors in {report.rows} rows; nothing was imported", 1)
    what = f"{report.rows} rows: {report.created} new, {report.updated} changed"
    print(f"{what}; nothing was imported, as you asked" if dry_run else f"imported {what}")


@app.command()
def plan(
    file: Annotated[Path, typer.Argument(help="A Solomon, Li & Lim, VRPLIB or JSON file.")],
    limit: Annotated[float, typer.Option(help="Seconds to plan for.", min=0.1)] = 10.0,
    format_: Annotated[FileFormat, typer.Option("--format", help="What the file is.")] = "auto",
    objective: Annotated[
        Objective, typer.Option(help="What is least: the distance, or the vehicles and then the distance.")
    ] = "distance",
    rounding: Annotated[
        Rounding | None, typer.Option(help="Of distances; left out: as is usual for the format.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another number tries other plans.", min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
) -> None:
    """Plan the routes of a file, check them, and print them. Exit code 1 when the check finds anything."""
    from stowage.plan_cli import plan_file

    if not plan_file(file, limit_s=limit, format_=format_, objective=objective, rounding=rounding, seed=seed, as_json=as_json):  # fmt: skip
        _end("the plan breaks rules of its problem; please report this file", 1)


@roads_app.command("build")
def build_roads(
    file: Annotated[Path, typer.Argument(help="An OpenStreetMap extract, .osm.pbf.")],
    out: Annotated[
        Path | None, typer.Option(help="The map's folder; made anew. Default: maps/NAME in the data folder.")
    ] = None,
) -> None:
    """Make a map (roads, addresses, picture) of an OpenStreetMap extract, for STOWAGE_MAP_DIR."""
    from stowage.map_build import build_from_file

    folder = build_from_file(config.load(), file, out, say=lambda text: print(text, flush=True))
    print(f"to use it:  STOWAGE_MAP_DIR={folder}")


@roads_app.command("serve")
def serve_roads(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 5000,
) -> None:
    """Serve the roads of STOWAGE_MAP_DIR alone, for STOWAGE_ROADS_URL; makes the map of Helsinki where there is none."""
    from stowage.parts.roads import Roads

    settings = _program("roads")
    part = Roads(
        settings.data_dir.absolute(),
        map_dir=settings.map_dir,
        progress=lambda text: print(text, flush=True),
        cache_dir=settings.tryton_cache,
        listen=(host, port),
    )
    stop = stop_on_signal()
    try:
        part.start()
        print(part.describe(), flush=True)
        while part.running() and not stop.wait(0.2):
            pass
        if not stop.is_set():
            _end("the road engine ended; its log is logs/roads.log in the data folder", 1)
    finally:
        part.stop()


@app.command()
def settings() -> None:
    """Print the table of all settings."""
    print(config.markdown_table())


@app.command()
def schema() -> None:
    """Print the wire contract (MQTT messages) as JSON Schema."""
    from edge.messages import json_schema

    print(json.dumps(json_schema(), indent=2))


# --- what the commands share ------------------------------------------------------------------------------


def _program(name: str) -> Settings:
    loaded = config.load()
    logs.set_up(name, loaded.log_level)
    return loaded


def stop_on_signal(patience_s: float = 20) -> threading.Event:
    """An event that SIGTERM and SIGINT set. A program that then does not end by itself is ended."""
    stop = threading.Event()
    wanted = {signal.SIGTERM, signal.SIGINT}

    def wait_for_signal() -> None:
        # in a thread of its own: a handler that sets the event could interrupt the event's own wait
        signal.sigwait(wanted)
        stop.set()
        time.sleep(patience_s)
        os._exit(1)

    signal.pthread_sigmask(signal.SIG_BLOCK, wanted)  # threads started from here on inherit it
    threading.Thread(target=wait_for_signal, name="signals", daemon=True).start()
    return stop


def _database(settings: Settings) -> str:
    if settings.database_url is None:
        _end("set STOWAGE_DATABASE_URL; only `stowage run` brings a database of its own", 2)
    return settings.database_url


def _broker(settings: Settings) -> str:
    if settings.mqtt_url is None:
        _end("set STOWAGE_MQTT_URL; only `stowage run` brings a broker of its own", 2)
    return settings.mqtt_url


def _erp(settings: Settings) -> str | None:
    return None if settings.erp_url == config.NO_ERP else settings.erp_url


def _maps(settings: Settings) -> None:
    from backend import maps
    from backend.dispatch import tracking

    maps.configure(None if settings.roads_url == config.NO_ROADS else settings.roads_url, settings.map_dir)
    here = "127.0.0.1" if settings.http_host in ("0.0.0.0", "::") else settings.http_host
    tracking.configure(settings.public_url, f"http://{here}:{settings.http_port}")


def _site(connection: Conn, code: str | None) -> UUID:
    """The site of that code, or the only one."""
    found = connection.execute("SELECT code, id FROM site ORDER BY code").fetchall()
    chosen = [site_id for each, site_id in found if code in (None, each)]
    if len(chosen) == 1:
        return UUID(str(chosen[0]))
    if not found:
        _end("there is no site yet; make one on the screen, or with POST /api/v1/sites", 1)
    _end(f"name the site with --site: {', '.join(each for each, _ in found)}", 2)


def _agent_data_dir(path: Path) -> Path:
    """Where an agent keeps its secret: said in its configuration, which is not complete before it is enrolled."""
    try:
        named = tomllib.loads(path.read_text())["agent"]["data_dir"]
    except (OSError, ValueError, KeyError, TypeError):
        _end(f"{path}: [agent] needs data_dir, the folder for the spool and this agent's secret", 2)
    return path.parent / str(named)


def _with_database(settings: Settings) -> AbstractContextManager[str]:
    """The user's database, else the embedded one: the running one, or started for as long as this lasts."""
    from stowage.doctor import database

    return database(settings)
