"""The agent's configuration: one TOML file, commented in `edge/sample.toml`.

Promise: `load` returns a complete configuration or raises BadConfig with *all* problems, each with file and
line; an unknown key is a problem, never ignored, also inside a driver's own options. Site, code and broker may
be left out where the agent was enrolled (`edge/enrol.py`): then the enrolment in `data_dir` gives them.
To add a setting: a field of a struct below, and its comment in `sample.toml`.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from device_drivers.driver import BadOptions, driver_class
from edge.broker import Broker
from edge.cleaning.portal import PortalSettings
from edge.cleaning.track import TrackSettings
from edge.cleaning.zones import ZoneSettings
from edge.enrol import Enrolment, read_enrolment
from edge.messages import Code

StructT = TypeVar("StructT", bound=Struct)


class AgentSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    data_dir: str
    site: Code | None = None
    code: Code | None = None


class BrokerSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: str | None = None
    username: str | None = None
    password: str | None = None
    password_file: str | None = None
    ca_file: str | None = None


class SpoolSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    max_mb: int = 512


class PortalSection(PortalSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    neighbours: tuple[str, ...] = ()
    """Codes of the portals whose tags this one also hears."""


class DeviceSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    code: Code
    driver: str
    purpose: Literal["portal", "zone", "bench"] = "bench"
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    """The driver's own: address, port, speed ..."""
    portal: PortalSection | None = None
    zone: ZoneSettings = ZoneSettings()
    track: TrackSettings = TrackSettings()
    retry_s: tuple[float, ...] = (0.2, 0.5, 1, 2, 5, 10, 30)
    """Waits between attempts to reach the device; the last one is repeated for ever."""


class File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    agent: AgentSection
    broker: BrokerSection = BrokerSection()
    spool: SpoolSection = SpoolSection()
    device: tuple[DeviceSection, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the agent runs with."""

    site: str
    code: str
    data_dir: Path
    broker: Broker
    spool_max_bytes: int
    devices: tuple[DeviceSection, ...]


class BadConfig(ValueError):
    """The file cannot be used; the text lists every problem on a line of its own, as `file:line: what`."""


@dataclass(frozen=True)
class Problem:
    where: tuple[str | int, ...]
    """Path of keys, with the position inside an array of tables."""
    what: str


def load(path: Path) -> Config:
    """Read and check the whole file. Raises BadConfig."""
    try:
        text = path.read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except OSError as e:
        raise BadConfig(f"{path}: {e.strerror}. `edge/sample.toml` is a file to start from.") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise BadConfig(f"{path}: {e}") from e
    problems = list(_check(File, raw, ()))
    config: Config | None = None
    if not problems:
        file = msgspec.convert(raw, type=File)
        problems += _check_devices(file)
        config = _resolve(path, file, problems)
    if problems or config is None:
        lines = _lines(text)
        raise BadConfig("\n".join(sorted(f"{path}:{_line(lines, p.where)}: {p.what}" for p in problems)))
    return config


# --- checks -----------------------------------------------------------------------------------------------


def _check(kind: type[Struct], table: Mapping[str, Any], where: tuple[str | int, ...]) -> Iterator[Problem]:
    """Every problem of one table against a struct, nested tables included."""
    fields = {f.name: f for f in msgspec.structs.fields(kind)}
    for key in table:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(fields)}"
            yield Problem((*where, key), f"unknown key {key!r}; {hint}")
    for name, field in fields.items():
        if name not in table:
            if field.required:
                yield Problem(where, f"key {name!r} is missing")
            continue
        value, inner = table[name], _struct_in(field.type)
        if inner and isinstance(value, dict):
            yield from _check(inner, value, (*where, name))
        elif inner and isinstance(value, list) and all(isinstance(v, dict) for v in value):
            for index, item in enumerate(value):
                yield from _check(inner, item, (*where, name, index))
        else:
            try:
                msgspec.convert(value, type=field.type)
            except msgspec.ValidationError as e:
                yield Problem((*where, name), f"{name}: {e}")


def _struct_in(annotation: Any) -> type[Struct] | None:
    """The struct in `X`, `X | None` or `list[X]`."""
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, Struct):
            return candidate
    return None


def _check_devices(file: File) -> Iterator[Problem]:
    codes = [d.code for d in file.device]
    for index, device in enumerate(file.device):
        where = ("device", index)
        if device.code in codes[:index]:
            yield Problem((*where, "code"), f"two devices are called {device.code!r}")
        try:
            options = driver_class(device.driver).options_type
        except BadOptions as e:
            yield Problem((*where, "driver"), str(e))
        else:
            yield from _check(options, device.options, (*where, "options"))
        if not device.retry_s or min(device.retry_s) <= 0:
            yield Problem((*where, "retry_s"), "retry_s needs at least one wait above zero")
        if device.purpose == "portal" and device.portal is None:
            yield Problem(
                where, f"{device.code!r} is a portal: add [device.portal] with its inner and outer antennas"
            )
        if device.portal is not None:
            here = (*where, "portal")
            if device.purpose != "portal":
                yield Problem(
                    here, f"[device.portal] on {device.code!r}, whose purpose is {device.purpose!r}"
                )
            if both := device.portal.inner & device.portal.outer:
                yield Problem((*here, "outer"), f"antenna {min(both)} cannot be inner and outer")
            if not device.portal.inner or not device.portal.outer:
                yield Problem(here, "a portal needs at least one inner and one outer antenna")
            for other in device.portal.neighbours:
                if other == device.code or not any(
                    d.code == other and d.purpose == "portal" for d in file.device
                ):
                    yield Problem((*here, "neighbours"), f"{other!r} is no other portal of this file")


def _resolve(path: Path, file: File, problems: list[Problem]) -> Config | None:
    """Put file and enrolment together; relative paths are relative to the file."""
    here = path.absolute().parent
    data_dir = here / file.agent.data_dir
    enrolment: Enrolment | None = None
    try:
        enrolment = read_enrolment(data_dir)
    except ValueError as e:
        problems.append(Problem(("agent", "data_dir"), str(e)))
    site = file.agent.site or (enrolment and enrolment.site)
    code = file.agent.code or (enrolment and enrolment.agent)
    url = file.broker.url or (enrolment and enrolment.mqtt_url)
    for name, value, where in (
        ("agent.site", site, ("agent",)),
        ("agent.code", code, ("agent",)),
        ("broker.url", url, ("broker",)),
    ):
        if not value:
            problems.append(
                Problem(where, f"{name} is missing: set it, or enrol this agent with its one-time code")
            )
    password = file.broker.password
    if file.broker.password_file:
        if password:
            problems.append(Problem(("broker", "password_file"), "set password or password_file, not both"))
        try:
            password = (here / file.broker.password_file).read_text(encoding="utf-8").strip()
        except OSError as e:
            problems.append(
                Problem(("broker", "password_file"), f"{file.broker.password_file}: {e.strerror}")
            )
    ca_file = here / file.broker.ca_file if file.broker.ca_file else None
    if ca_file and not ca_file.is_file():
        problems.append(Problem(("broker", "ca_file"), f"{ca_file} is not there"))
    if file.spool.max_mb < 1:
        problems.append(Problem(("spool", "max_mb"), "max_mb must be at least 1"))
    broker = None
    if url:
        username = file.broker.username
        if enrolment and not (username or password):
            username, password = enrolment.username, enrolment.secret
        try:
            broker = Broker.from_url(
                url,
                username=username,
                password=password,
                ca_file=ca_file,
            )
        except ValueError as e:
            problems.append(Problem(("broker", "url"), str(e)))
    if problems or not (site and code and broker):
        return None
    return Config(
        site=site,
        code=code,
        data_dir=data_dir,
        broker=broker,
        spool_max_bytes=file.spool.max_mb * 2**20,
        devices=file.device,
    )


# --- lines ------------------------------------------------------------------------------------------------

_TABLE = re.compile(r"^\s*(\[\[?)\s*([A-Za-z0-9_.\-\"' ]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_\-]+|\"[^\"]+\")\s*(?:\.\s*([A-Za-z0-9_\-]+)\s*)?=")


def _lines(text: str) -> dict[tuple[str | int, ...], int]:
    """Where each table and key stands. tomllib keeps no positions; this reads headers and keys line by line."""
    found: dict[tuple[str | int, ...], int] = {}
    counts: dict[str, int] = {}
    table: tuple[str | int, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TABLE.match(line):
            names = [n.strip().strip("\"'") for n in header[2].split(".")]
            if header[1] == "[[":
                counts[names[0]] = counts.get(names[0], -1) + 1
            table = (names[0], *((counts[names[0]],) if names[0] in counts else ()), *names[1:])
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            path = (*table, *(k.strip('"') for k in key.groups() if k))
            for end in range(len(table) + 1, len(path) + 1):
                found.setdefault(path[:end], number)
    return found


def _line(lines: Mapping[tuple[str | int, ...], int], where: tuple[str | int, ...]) -> int:
    """The line of a path, or of the nearest table around it."""
    while where and where not in lines:
        where = where[:-1]
    return lines.get(where, 1)
