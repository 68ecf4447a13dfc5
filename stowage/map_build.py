"""Makes a map of an OpenStreetMap extract: the road engine's data, the addresses, the picture. `stowage roads build`.

The folder appears as a whole, or not at all: it is made beside its place and then renamed. What can go wrong with a
file a person brings (missing, cut off, empty, another format, no roads in it, a full disk) is one sentence each.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import routing
from routing import address_build, map_tiles
from stowage.config import Settings
from stowage.parts import PartFailed
from stowage.parts.roads import OSRM, ROADS, Say, fetch_programs, run_step
from stowage.parts.tryton import default_cache_dir

BUILD_PATIENCE_S = 6 * 3600
ISLAND = 200
"""Roads that hang together with fewer others are nobody's nearest road: what an extract cut off at its edge, car parks.
OSRM's own 1000 is more than the centre of a city has."""
PROFILE = "share/profiles/car.lua"
MADE_BY = ("address_build", "addresses", "geo", "map_layers", "map_tiles", "vector_tile")


def recipe(ingredients: Sequence[str]) -> str:
    """Names a map by all that it is made of: the extract, the road programs, and our own code."""
    digest = hashlib.sha256(" ".join([*ingredients, *OSRM.sha256]).encode())
    for file in [Path(__file__), *(Path(routing.__path__[0]) / f"{name}.py" for name in MADE_BY)]:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def build_from_file(settings: Settings, extract: Path, out: Path | None, *, say: Say) -> Path:
    """`stowage roads build`: the folder with the new map. Raises PartFailed."""
    check_extract(extract)
    name = extract.name.removesuffix(".pbf").removesuffix(".osm")
    folder = (out or settings.data_dir / "maps" / name).absolute()
    if (
        folder.exists()
        and not (folder / "map.json").is_file()
        and (not folder.is_dir() or any(folder.iterdir()))
    ):
        raise PartFailed(f"{folder} is there and is no map of ours; name another folder with --out")
    log = settings.data_dir.absolute() / "logs" / "roads.log"
    programs = fetch_programs(
        settings.tryton_cache or default_cache_dir(settings.data_dir.absolute()), log, say
    )
    build_map(extract, folder, programs, name=name, log=log, say=say)
    return folder


def build_map(
    extract: Path,
    folder: Path,
    programs: Path,
    *,
    name: str,
    log: Path,
    say: Say = lambda step: None,
    stopping: threading.Event | None = None,
) -> None:
    """`folder` is made, or replaced. Raises PartFailed."""
    started = time.monotonic()
    check_extract(extract)
    making = folder.with_name(f".{folder.name}.making-{os.getpid()}")
    try:
        shutil.rmtree(making, ignore_errors=True)
        (making / "roads").mkdir(parents=True)
        _build_roads(extract, making, programs, log, say, stopping)
        version = hashlib.sha256(f"{sha256_of(extract)} {recipe([])}".encode()).hexdigest()[:12]
        say("addresses")
        found = address_build.build(extract, making / "addresses.sqlite")
        say(f"{found.addresses} addresses in {found.streets} streets")
        drawn = map_tiles.build(
            extract, making / "tiles.mbtiles", name=name, version=version, say=_unless(stopping, say)
        )
        (making / "map.json").write_text(json.dumps({
            "name": name, "version": version, "extract": extract.name, "addresses": found.addresses,
            "tiles": drawn, "osrm": OSRM.version, "licence": "ODbL-1.0, (c) OpenStreetMap contributors",
        }, indent=1) + "\n")  # fmt: skip
        shutil.rmtree(folder, ignore_errors=True)
        making.rename(folder)
    except OSError as e:
        raise PartFailed(_disk_sentence(folder, e)) from e
    except sqlite3.OperationalError as e:
        raise PartFailed(_disk_sentence(folder, OSError(errno.ENOSPC, str(e)))) from e
    except RuntimeError as e:  # osmium's and sqlite's way to say that a file is no good
        raise PartFailed(_unreadable(extract, e)) from e
    finally:
        shutil.rmtree(making, ignore_errors=True)
    say(f"map of {name} ready after {time.monotonic() - started:.0f} s")


def _unless(stopping: threading.Event | None, say: Say) -> Say:
    def progress(text: str) -> None:
        if stopping is not None and stopping.is_set():
            raise PartFailed("stopped")
        say(text)

    return progress


def _build_roads(
    extract: Path, making: Path, programs: Path, log: Path, say: Say, stopping: threading.Event | None
) -> None:
    base = making / ROADS
    beside = base.with_name("map.osm.pbf")
    beside.symlink_to(extract.absolute())  # osrm-extract writes beside what it reads
    steps: list[tuple[str, list[str | Path]]] = [
        (
            "roads: reading the extract",
            [
                programs / "bin/osrm-extract",
                "--small-component-size",
                str(ISLAND),
                "-p",
                programs / PROFILE,
                beside,
            ],
        ),
        ("roads: making them fast to search", [programs / "bin/osrm-contract", base]),
    ]
    for what, command in steps:
        say(what)
        why = run_step(command, log, stopping, BUILD_PATIENCE_S)
        if why == "stopped":
            raise PartFailed("stopped")
        if why is not None:
            if shutil.disk_usage(making).free < 16 * 2**20 or "No space left" in why:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            raise PartFailed(_no_roads(extract, why, log))
    beside.unlink()
    for left_over in ("cnbg", "cnbg_to_ebg", "ebg", "enw", "turn_penalties_index", "restrictions"):
        base.with_name(f"{base.name}.{left_over}").unlink(missing_ok=True)


def check_extract(extract: Path) -> None:
    """What can be said of the file before anything is made of it. Raises PartFailed."""
    try:
        with extract.open("rb") as stream:
            head = stream.read(64)
    except IsADirectoryError:
        raise PartFailed(f"{extract} is a folder; name the .osm.pbf file in it") from None
    except OSError as e:
        raise PartFailed(f"cannot read {extract}: {e.strerror}") from e
    if not head:
        raise PartFailed(f"{extract} is empty; fetch it again")
    if b"OSMHeader" not in head:
        raise PartFailed(
            f"{extract} is not an OpenStreetMap extract in PBF format; fetch a file that ends in .osm.pbf"
        )


def sha256_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _no_roads(extract: Path, why: str, log: Path) -> str:
    why = why.rpartition("what():")[2].strip().rpartition("[error]")[2].strip()
    lowered = why.lower()
    if any(word in lowered for word in ("no edges", "no nodes", "empty", "zero")):
        return f"{extract} has no roads that a van may drive on; take another extract"
    if any(word in lowered for word in ("pbf", "truncated", "eof", "zlib", "exception")):
        return _unreadable(extract, why)
    return f"the roads of {extract} cannot be built: {why} (see {log})"


def _unreadable(extract: Path, why: object) -> str:
    return f"{extract} cannot be read to its end ({why}); it was cut off or damaged: fetch it again"


def _disk_sentence(folder: Path, e: OSError) -> str:
    if e.errno == errno.ENOSPC:
        return f"the disk of {folder} is full; free some space, or name another folder with --out"
    return f"cannot write the map into {folder}: {e.strerror or e}"
