"""The road engine: fetched once and only if it is the right file, built of any extract, never in the way of the rest."""

import hashlib
import io
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from routing.addresses import Addresses
from routing.map_tiles import MapTiles
from routing.roads import Point, Roads
from stowage.config import Settings
from stowage.doctor import examine
from stowage.map_build import build_from_file, build_map
from stowage.parts import PartFailed
from stowage.parts import roads as part
from stowage.parts.child import wait_until
from stowage.parts.ports import free_port
from stowage.run import Progress, Run
from tests.conftest import missing
from tests.routing.small_maps import Extract, town

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all pip knows of the world."""
    folder = tmp_path / "shop"
    folder.mkdir()
    for name in [n for n in os.environ if n.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def wheel(folder: Path, content: bytes = b"#!/bin/sh\n") -> tuple[str, ...]:
    """Puts a wheel of that name into the shop; returns its hash."""
    file = folder / "osrm_bindings-26.10.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("osrm/bin/osrm-routed", content)
        archive.writestr("osrm/share/profiles/car.lua", "-- a car")
        archive.writestr("osrm/osrm_ext.abi3.so", b"not wanted")
        archive.writestr("osrm_bindings-26.10.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: osrm-bindings\nVersion: 26.10.0\n")  # fmt: skip
        archive.writestr("osrm_bindings-26.10.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("osrm_bindings-26.10.0.dist-info/RECORD", "")
        archive.writestr("osrm_bindings-26.10.0.dist-info/licenses/LICENSE.TXT", "BSD")
    return (hashlib.sha256(file.read_bytes()).hexdigest(),)


# --- fetching -----------------------------------------------------------------------------------------------


def test_only_programs_and_profiles_are_kept_and_they_are_fetched_once(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, "OSRM", replace(part.OSRM, sha256=wheel(shop)))
    said: list[str] = []
    folder = part.fetch_programs(tmp_path / "cache", tmp_path / "log", said.append)
    files = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert files == {
        "bin/osrm-routed",
        "share/profiles/car.lua",
        "osrm_bindings-26.10.0.dist-info/licenses/LICENSE.TXT",
    }
    assert os.access(folder / "bin/osrm-routed", os.X_OK)
    (shop / "osrm_bindings-26.10.0-py3-none-any.whl").unlink()
    assert part.fetch_programs(tmp_path / "cache", tmp_path / "log", said.append) == folder
    assert said == ["fetching the road programs (21 MB)"]


def test_a_file_with_another_hash_is_not_used(shop: Path, tmp_path: Path) -> None:
    wheel(shop, b"#!/bin/sh\nrm -rf ~\n")
    with pytest.raises(PartFailed, match=r"osrm-bindings 26\.10\.0 cannot be fetched .*(?i:hash|sha256)"):
        part.fetch_programs(tmp_path / "cache", tmp_path / "log", lambda _: None)
    assert [p for p in (tmp_path / "cache").iterdir() if p.suffix != ".lock"] == []


def test_a_machine_without_network_gets_a_sentence(shop: Path, tmp_path: Path) -> None:
    with pytest.raises(PartFailed) as e:
        part.fetch_programs(tmp_path / "cache", tmp_path / "log", lambda _: None)
    assert "deliveries cannot be planned without roads" in str(e.value)
    assert "STOWAGE_ROADS_URL" in str(e.value)


@pytest.fixture
def silence(shop: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package index that takes the connection and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{listener.getsockname()[1]}/simple")
        yield


@pytest.mark.usefixtures("silence")
def test_a_fetch_that_hangs_ends_when_the_run_does(tmp_path: Path) -> None:
    said: list[str] = []
    roads = part.Roads(tmp_path, cache_dir=tmp_path / "cache", progress=said.append)
    failed: list[str] = []

    def start() -> None:
        try:
            roads.start()
        except PartFailed as e:
            failed.append(str(e))

    thread = threading.Thread(target=start)
    thread.start()
    assert wait_until(lambda: bool(said), 60)
    began = time.monotonic()
    roads.stop()
    thread.join(60)
    assert not thread.is_alive()
    assert time.monotonic() - began < 60  # pip alone would try for longer
    assert "stopped" in failed[0]


@pytest.mark.usefixtures("silence")
def test_the_run_neither_waits_for_roads_nor_fails_without_them(tmp_path: Path) -> None:
    """And the programs know from the beginning where the roads will be."""
    run = Run(
        Settings(data_dir=tmp_path / "data", tryton_cache=tmp_path / "cache"),
        demo=False,
        say=Progress(io.StringIO()),
    )
    (tmp_path / "data").mkdir()
    began = time.monotonic()
    run._roads()
    took = time.monotonic() - began
    try:
        assert took < 60  # pip alone would try for longer
        environment = run._environment()
        assert environment["STOWAGE_ROADS_URL"].startswith("http://127.0.0.1:")
        assert Path(environment["STOWAGE_MAP_DIR"]).parent == tmp_path / "cache"
    finally:
        run.stop()


def test_a_run_with_another_server_or_none_starts_nothing(tmp_path: Path) -> None:
    for url, words in (
        ("none", "none, as you asked"),
        ("http://127.0.0.1:5000", "yours: http://127.0.0.1:5000"),
    ):
        out = io.StringIO()
        run = Run(Settings(data_dir=tmp_path, roads_url=url), demo=False, say=Progress(out))
        run._roads()
        assert words in out.getvalue()
        assert run._kept == []


# --- serving ------------------------------------------------------------------------------------------------


def test_the_road_server_listens_on_this_machine_only_and_takes_large_questions(
    helsinki_map_dir: Path, tmp_path: Path
) -> None:
    roads = part.Roads(tmp_path, map_dir=helsinki_map_dir)
    said = roads.url
    try:
        assert roads.start() == said
        assert roads.running()
        assert roads.ready()
        points = ";".join(f"24.{9360 + n % 150},60.17{n % 80:02}" for n in range(1000))
        answer = httpx.get(
            f"{said}/table/v1/driving/{points}", params={"annotations": "duration"}, timeout=30
        )
        assert len(answer.json()["durations"]) == 1000
        port = int(said.rpartition(":")[2])
        mine = socket.gethostbyname(socket.gethostname())
        if not mine.startswith("127."):
            with pytest.raises(OSError), socket.create_connection((mine, port), timeout=2):
                pass
    finally:
        roads.stop()
    assert not roads.running()
    assert not roads.ready()


def test_a_folder_without_a_map_is_a_sentence(road_programs: Path, tmp_path: Path) -> None:
    with pytest.raises(PartFailed, match=r"holds no map; make one with `stowage roads build FILE\.osm\.pbf`"):
        part.Roads(tmp_path, map_dir=tmp_path, cache_dir=road_programs.parent).start()


def test_doctor_looks_at_roads_and_map(osrm_url: str, helsinki_map_dir: Path, tmp_path: Path) -> None:
    def said(settings: Settings) -> str:
        return " ".join(f"{f.mark} {f.text};" for f in examine(settings, ["roads", "map"]))

    assert said(Settings(roads_url=osrm_url, map_dir=helsinki_map_dir)).count("ok  ") == 2
    assert "embedded OSRM" in said(Settings())
    assert "FAIL" in said(Settings(roads_url="http://127.0.0.1:9", map_dir=helsinki_map_dir))
    assert "FAIL" in said(Settings(roads_url=osrm_url, map_dir=tmp_path))
    assert "deliveries cannot be planned" in said(Settings(roads_url="none"))


# --- building -----------------------------------------------------------------------------------------------


def build(*arguments: str, data_dir: Path) -> subprocess.CompletedProcess[str]:
    clean = {
        k: v for k, v in os.environ.items() if not k.startswith("STOWAGE_") or k == "STOWAGE_TRYTON_CACHE"
    }
    return subprocess.run(
        [sys.executable, "-m", "stowage", "roads", "build", *arguments],
        cwd=REPOSITORY,
        env={**clean, "STOWAGE_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.usefixtures("road_programs")
def test_a_map_of_liechtenstein_is_one_command(vectors: Path, tmp_path: Path) -> None:
    done = build(
        str(vectors / "osm/liechtenstein.osm.pbf"), "--out", str(tmp_path / "li"), data_dir=tmp_path / "data"
    )
    assert done.returncode == 0, done.stderr
    assert "1001 addresses in 129 streets" in done.stdout
    assert done.stdout.endswith(f"to use it:  STOWAGE_MAP_DIR={tmp_path / 'li'}\n")
    assert json.loads((tmp_path / "li/map.json").read_text())["licence"].startswith("ODbL")
    assert MapTiles.open(tmp_path / "li/tiles.mbtiles").info.name == "liechtenstein"
    vaduz = Addresses.open(tmp_path / "li/addresses.sqlite").best("Peter-Kaiser-Platz 1, 9490 Vaduz")
    assert vaduz is not None
    roads = part.Roads(tmp_path, map_dir=tmp_path / "li")
    try:
        way = Roads(roads.start()).route([vaduz.point, Point(47.1653, 9.5105)])
        assert 2500 < way.distance_m < 5000  # to Schaan
        assert way.estimated == set()
    finally:
        roads.stop()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("extract") / "town.osm.pbf"
    extract = Extract(file)
    town(extract, 50.0, 10.0)
    extract.close()
    return file.read_bytes()


def refusal(extract: Path, out: Path, data_dir: Path) -> str:
    with pytest.raises(PartFailed) as e:
        build_from_file(Settings(data_dir=data_dir), extract, out, say=lambda _: None)
    return str(e.value)


@pytest.mark.usefixtures("road_programs")
def test_a_file_that_cannot_be_used_is_named_with_what_to_do(whole: bytes, tmp_path: Path) -> None:
    for name, content, words in [
        ("cut-off", whole[: len(whole) // 2], "was cut off or damaged: fetch it again"),
        ("cut-off-at-the-end", whole[:-10], "was cut off or damaged: fetch it again"),
        ("only-the-head", whole[:120], "fetch it again"),
        ("empty", b"", "is empty; fetch it again"),
        (
            "a-page",
            b"<!doctype html><title>404</title>" * 10,
            "is not an OpenStreetMap extract in PBF format",
        ),
        ("noise", whole[:200] + random.Random(1).randbytes(500), "was cut off or damaged: fetch it again"),
    ]:
        file = tmp_path / f"{name}.osm.pbf"
        file.write_bytes(content)
        said = refusal(file, tmp_path / "map", tmp_path / "data")
        assert words in said, f"{name}: {said}"
        assert name in said
        assert not (tmp_path / "map").exists()
    assert [p for p in tmp_path.iterdir() if "making" in p.name] == []


@pytest.mark.usefixtures("road_programs")
def test_a_real_extract_that_was_cut_off_is_a_sentence_at_the_terminal(vectors: Path, tmp_path: Path) -> None:
    (tmp_path / "li.osm.pbf").write_bytes((vectors / "osm/liechtenstein.osm.pbf").read_bytes()[:300_000])
    done = build(str(tmp_path / "li.osm.pbf"), data_dir=tmp_path / "data")
    assert done.returncode == 1
    assert done.stderr.startswith(f"stowage: {tmp_path}/li.osm.pbf cannot be read to its end")
    assert done.stderr.count("\n") == 1


def test_places_that_are_no_file_and_no_map_are_refused(whole: bytes, tmp_path: Path) -> None:
    (tmp_path / "town.osm.pbf").write_bytes(whole)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    assert "cannot read" in refusal(tmp_path / "nothing.osm.pbf", tmp_path / "map", tmp_path / "data")
    assert "is a folder" in refusal(tmp_path, tmp_path / "map", tmp_path / "data")
    assert "is no map of ours" in refusal(tmp_path / "town.osm.pbf", tmp_path / "mine", tmp_path / "data")
    assert (tmp_path / "mine/thesis.txt").exists()


def test_an_extract_without_roads_is_a_sentence(road_programs: Path, tmp_path: Path) -> None:
    extract = Extract(tmp_path / "sea.osm.pbf")
    extract.node(50.0, 10.0, name="Buoy")
    extract.outline([(50.0, 10.0), (50.0, 10.1), (50.1, 10.1)], natural="water")
    extract.close()
    with pytest.raises(PartFailed, match="no roads that a van may drive on"):
        build_map(tmp_path / "sea.osm.pbf", tmp_path / "map", road_programs, name="sea", log=tmp_path / "log")


@pytest.mark.parametrize("size", ["100k", "400k"])
def test_a_full_disk_is_a_sentence(road_programs: Path, whole: bytes, tmp_path: Path, size: str) -> None:
    (tmp_path / "town.osm.pbf").write_bytes(whole)
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        missing("a small disk", "mounting one needs root")
    try:
        with pytest.raises(PartFailed, match="is full; free some space, or name another folder with --out"):
            build_map(
                tmp_path / "town.osm.pbf",
                small / "map",
                road_programs,
                name="t",
                log=tmp_path / "log",
            )
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_map_is_replaced_as_a_whole(road_programs: Path, whole: bytes, tmp_path: Path) -> None:
    (tmp_path / "town.osm.pbf").write_bytes(whole)
    for _ in range(2):
        build_map(tmp_path / "town.osm.pbf", tmp_path / "map", road_programs, name="t", log=tmp_path / "log")
        assert (tmp_path / "map" / f"{part.ROADS}.hsgr").is_file()
    (tmp_path / "town.osm.pbf").write_bytes(whole[:-200])
    with pytest.raises(PartFailed):
        build_map(tmp_path / "town.osm.pbf", tmp_path / "map", road_programs, name="t", log=tmp_path / "log")
    assert MapTiles.open(tmp_path / "map/tiles.mbtiles").info.name == "t"


@pytest.mark.usefixtures("helsinki_map_dir")
def test_roads_can_be_served_alone_and_make_their_map_themselves(tmp_path: Path) -> None:
    port = free_port()
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith("STOWAGE_") or k == "STOWAGE_TRYTON_CACHE"
    }
    environment |= {"STOWAGE_DATA_DIR": str(tmp_path / "data"), "STOWAGE_MAP_DIR": str(tmp_path / "map")}
    serving = subprocess.Popen(
        [sys.executable, "-m", "stowage", "roads", "serve", "--port", str(port)], cwd=REPOSITORY, env=environment,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert serving.stdout is not None
        assert any(f"http://127.0.0.1:{port}" in line for line in serving.stdout)
        assert Roads(f"http://127.0.0.1:{port}").nearest(Point(60.1710, 24.9415)).is_near
        assert MapTiles.open(tmp_path / "map/tiles.mbtiles").info.name == "Helsinki"
    finally:
        serving.terminate()
        assert serving.wait(60) == 0
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
