# ruff: noqa: RUF009 (a field's default is made by a function that attaches its help and its check)
"""Every setting of Stowage, read in one place: the environment over one TOML file over the defaults.

`STOWAGE_HTTP_PORT` in the environment is `http_port` in `stowage.toml` (or the file STOWAGE_CONFIG names).
An unknown or wrong setting fails at start, and all problems are listed with file and line. To add a setting:
one field of `Settings` with its help, and `stowage settings` writes its row of the README's table.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from edge.broker import Broker

PREFIX = "STOWAGE_"
NO_ERP = NO_ROADS = "none"


class SettingsInvalid(ValueError):
    """The configuration has problems; the text lists each with its place."""


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a text that is not empty")
    return value.strip()


def _path(value: object) -> Path:
    return Path(_text(value)).expanduser()


def _port(value: object) -> int:
    if (
        isinstance(value, bool)
        or not re.fullmatch(r"[0-9]{1,5}", str(value))
        or not 1 <= int(str(value)) <= 65535
    ):
        raise ValueError("must be a port, 1 to 65535")
    return int(str(value))


def _speed(value: object) -> float:
    try:
        speed = float(str(value)) if not isinstance(value, bool) else 0
    except ValueError:
        speed = 0
    if not 0.1 <= speed <= 1000:
        raise ValueError("must be a number from 0.1 to 1000; 1 is real time")
    return speed


def _one_of(*words: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if value not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return str(value)

    return check


def _url(*schemes: str, shape: str, also: str | None = None) -> Callable[[object], str]:
    def check(value: object) -> str:
        if also is not None and value == also:
            return also
        try:
            parts = urlsplit(_text(value))
            _ = parts.port
        except ValueError as e:
            raise ValueError(f"must look like {shape}") from e
        if parts.scheme not in schemes:
            raise ValueError(f"must look like {shape}")
        return _text(value)

    return check


def _broker(value: object) -> str:
    Broker.from_url(_text(value))
    return _text(value)


def _setting(meaning: str, check: Callable[[object], Any], default: Any, *, shown: str | None = None) -> Any:
    return field(default=default, metadata={"meaning": meaning, "check": check, "shown": shown})


@dataclass(frozen=True)
class Settings:
    """What the user decided. `None` means: Stowage brings its own."""

    data_dir: Path = _setting(
        "Folder for everything the run keeps: embedded databases, logs, generated secrets",
        _path,
        Path(".stowage"),
    )
    database_url: str | None = _setting(
        "PostgreSQL 15 or newer to use instead of the embedded one",
        _url("postgresql", "postgres", shape="postgresql://user:password@host:5432/database"),
        None,
        shown="embedded",
    )
    mqtt_url: str | None = _setting(
        "MQTT broker to use instead of the embedded one, with an account that may read and write `stowage/#`; "
        "`mqtts://user:password@host:8883` for TLS, with `?ca_file=/path/to/ca.pem` for an authority of your own",
        _broker,
        None,
        shown="embedded",
    )
    mqtt_access_dir: Path | None = _setting(
        "Folder where Stowage writes the agents' accounts for the broker (`agents.passwd`, `agents.acl`, in "
        "mosquitto's format)",
        _path,
        None,
        shown="in the data folder",
    )
    broker: str = _setting(
        "Which embedded broker: mosquitto where it is installed, else amqtt",
        _one_of("auto", "mosquitto", "amqtt"),
        "auto",
    )
    erp_url: str | None = _setting(
        "ERP to post to instead of the embedded Tryton; `none` runs without an ERP",
        _url(
            "tryton+http",
            "tryton+https",
            "odoo+http",
            "odoo+https",
            shape="tryton+http://user:password@host:8000/database",
            also=NO_ERP,
        ),
        None,
        shown="embedded",
    )
    roads_url: str | None = _setting(
        "OSRM server to ask for distances and ways instead of the embedded one; `none` runs without roads",
        _url("http", "https", shape="http://127.0.0.1:5000", also=NO_ROADS),
        None,
        shown="embedded",
    )
    map_dir: Path | None = _setting(
        "Folder with the map (roads, addresses, tiles) that `stowage roads build` made",
        _path,
        None,
        shown="central Helsinki",
    )
    tryton_cache: Path | None = _setting(
        "Folder for what is prepared once for all runs of this user: Tryton with its database, the road programs, "
        "the demo's map",
        _path,
        None,
        shown="`~/.cache/stowage`",
    )
    http_host: str = _setting("Address that the API and the screens listen on", _text, "127.0.0.1")
    http_port: int = _setting("Port of the API and the screens", _port, 8800)
    public_url: str | None = _setting(
        "Address under which customers reach the screens: their tracking links begin with it",
        _url("http", "https", shape="https://deliveries.example.com"),
        None,
        shown="`http_host` and `http_port`",
    )
    web_root: Path | None = _setting(
        "Folder with the built screens", _path, None, shown="built from `dashboards/` at the first run"
    )
    log_level: str = _setting("How much is logged", _one_of("debug", "info", "warning", "error"), "info")
    demo_speed: float = _setting("How fast the demo world runs; 1 is real time", _speed, 1.0)
    edge_config: Path | None = _setting(
        "Configuration of the agent that `stowage edge` runs", _path, None, shown="`edge.toml`"
    )


_NOT_SETTINGS = {"STOWAGE_CONFIG", "STOWAGE_STOP_WITH_PARENT"}
_NOT_SETTINGS_PREFIX = "STOWAGE_TEST_"


def load(environment: Mapping[str, str] = os.environ, folder: Path | None = None) -> Settings:
    """Read the settings. `folder` is where `stowage.toml` is looked for, by default the working folder.

    Raises SettingsInvalid with every problem at once."""
    problems: list[str] = []
    values: dict[str, tuple[str, object]] = {}  # name -> (where it was said, raw value)
    file = _file(environment, folder or Path.cwd(), problems)
    if file is not None:
        values |= _from_file(file, problems)
    for name, raw in environment.items():
        if (
            name.startswith(PREFIX)
            and name not in _NOT_SETTINGS
            and not name.startswith(_NOT_SETTINGS_PREFIX)
        ):
            values[name.removeprefix(PREFIX).lower()] = (f"environment: {name}", raw)

    known = {f.name: f for f in fields(Settings)}
    chosen: dict[str, Any] = {}
    for name, (where, said) in values.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            problems.append(
                f"{where}: there is no such setting" + (f"; did you mean {near[0]}?" if near else "")
            )
            continue
        try:
            value = known[name].metadata["check"](said)
        except ValueError as e:
            problems.append(f"{where}: {e}")
            continue
        in_file = file is not None and where.startswith(str(file))
        if in_file and isinstance(value, Path) and not value.is_absolute():
            assert file is not None
            value = file.parent / value
        chosen[name] = value
    if problems:
        raise SettingsInvalid("the configuration has problems:\n" + "\n".join(f"  {p}" for p in problems))
    return Settings(**chosen)


def _file(environment: Mapping[str, str], folder: Path, problems: list[str]) -> Path | None:
    named = environment.get("STOWAGE_CONFIG")
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            problems.append(f"environment: STOWAGE_CONFIG: there is no file {path}")
            return None
        return path
    path = folder / "stowage.toml"
    return path if path.is_file() else None


def _from_file(path: Path, problems: list[str]) -> dict[str, tuple[str, object]]:
    try:
        text = path.read_text()
        table = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        problems.append(f"{path}: {e}")
        return {}
    lines = text.splitlines()

    def line_of(key: str) -> int:
        pattern = re.compile(rf"""\s*\[*\s*["']?{re.escape(key)}["']?\s*[\].=]""")
        return next((number for number, line in enumerate(lines, 1) if pattern.match(line)), 1)

    return {key: (f"{path}:{line_of(key)}: {key}", value) for key, value in table.items()}


def markdown_table() -> str:
    """The table of all settings, as the README shows it."""
    rows = ["| environment | `stowage.toml` | default | what it is |", "|---|---|---|---|"]
    for f in fields(Settings):
        default = f.metadata["shown"] or f"`{f.default}`"
        rows.append(f"| `{PREFIX}{f.name.upper()}` | `{f.name}` | {default} | {f.metadata['meaning']} |")
    return "\n".join(rows)


def without_password(url: str) -> str:
    """The URL as it may be shown and logged."""
    return re.sub(r"(?<=://)([^:/@]*):[^@]*@", r"\1:***@", url)


def to_environment(settings: Settings) -> dict[str, str]:
    """The settings as a child program reads them."""
    return {
        PREFIX + f.name.upper(): str(value)
        for f in fields(Settings)
        if (value := getattr(settings, f.name)) is not None
    }
