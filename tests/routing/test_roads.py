"""What the roads say, by real OSRM servers: central Helsinki, and two little towns without a way between them."""

import http.server
import json
import random
import socket
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from routing.geo import straight_m
from routing.problem import NO_ROAD
from routing.roads import DETOUR, SNAP_LIMIT_M, Point, Roads, RoadsDown, RoadsRefused
from stowage.map_build import build_map
from stowage.parts.child import spawn, wait_until
from stowage.parts.ports import free_port
from stowage.parts.roads import ROADS
from stowage.parts.roads import Roads as RoadsPart
from tests.routing.small_maps import STEP, Extract, town

STATION = Point(60.1710, 24.9415)
HAKANIEMI = Point(60.1788, 24.9510)
STOCKMANN = Point(60.1681, 24.9425)
IN_THE_SEA = Point(60.1000, 24.9500)


@pytest.fixture
def roads(osrm_url: str) -> Iterator[Roads]:
    server = Roads(osrm_url)
    yield server
    server.close()


@pytest.fixture(scope="module")
def doors(helsinki_map_dir: Path) -> list[Point]:
    """120 real front doors."""
    with sqlite3.connect(helsinki_map_dir / "addresses.sqlite") as c:
        found = sorted({Point(*row) for row in c.execute("select lat, lon from address")})
    return random.Random(7).sample(found, 120)


@pytest.fixture(scope="module")
def two_towns(road_programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two towns 10 km apart, with no road between them."""
    folder = tmp_path_factory.mktemp("towns")
    extract = Extract(folder / "towns.osm.pbf")
    town(extract, 50.0, 10.0)
    town(extract, 50.09, 10.0)
    extract.close()
    build_map(folder / "towns.osm.pbf", folder / "map", road_programs, name="towns", log=folder / "log")
    part = RoadsPart(folder, map_dir=folder / "map")
    try:
        yield part.start()
    finally:
        part.stop()


def test_every_pair_of_helsinkis_doors_has_a_way(roads: Roads, doors: list[Point]) -> None:
    answer = roads.matrix(doors)
    assert answer.unroutable == {}
    assert answer.estimated == set()
    m, s = answer.matrix.distance_m, answer.matrix.duration_s
    assert m.dtype == s.dtype == np.int64
    assert m.shape == s.shape == (120, 120)
    assert (m >= 0).all()
    assert (np.diag(m) == 0).all()
    assert (np.diag(s) == 0).all()
    assert m.max() < 10_000


def test_there_and_back_are_two_different_ways(roads: Roads, doors: list[Point]) -> None:
    m = roads.matrix(doors).matrix.distance_m
    share = np.mean((m != m.T)[np.triu_indices(120, 1)])
    assert share > 0.2  # a city of one-way streets; a matrix made symmetric would have 0


def test_a_matrix_in_pieces_is_the_matrix_in_one(
    roads: Roads, doors: list[Point], helsinki_map_dir: Path, road_programs: Path, tmp_path: Path
) -> None:
    """A server that takes 20 points, as public ones have such limits: it says so, and is asked for less."""
    port = free_port()
    child = spawn(
        [road_programs / "bin/osrm-routed", "-i", "127.0.0.1", "-p", str(port), "--max-table-size", "20",
         "--max-viaroute-size", "5", helsinki_map_dir / ROADS], log=tmp_path / "log",
    )  # fmt: skip
    narrow = Roads(f"http://127.0.0.1:{port}")
    try:
        assert wait_until(lambda: _answers(port), 120, while_running=child)
        asked, whole = narrow.matrix(doors), roads.matrix(doors)
        np.testing.assert_array_equal(asked.matrix.distance_m, whole.matrix.distance_m)
        np.testing.assert_array_equal(asked.matrix.duration_s, whole.matrix.duration_s)
        assert asked.snaps == whole.snaps
        in_pieces, in_one = narrow.route(doors[:14]), roads.route(doors[:14])
        assert in_pieces.legs == in_one.legs
        assert in_pieces.estimated == set()
    finally:
        narrow.close()
        child.stop()


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/nearest/v1/driving/24.94,60.17").status_code == 200
    except httpx.HTTPError:
        return False


def test_the_legs_of_a_route_are_the_cells_of_the_matrix(roads: Roads, doors: list[Point]) -> None:
    tour = doors[:25]
    route, matrix = roads.route(tour), roads.matrix(tour).matrix
    assert len(route.legs) == 24
    for n, (metres, seconds) in enumerate(route.legs):
        assert metres == pytest.approx(matrix.distance_m[n, n + 1], abs=25)
        assert seconds == pytest.approx(matrix.duration_s[n, n + 1], abs=10)
    lon, lat = route.geometry[0]
    assert straight_m(Point(lat, lon), tour[0]) < SNAP_LIMIT_M
    assert route.distance_m == sum(m for m, _ in route.legs)


def test_a_stop_in_the_sea_is_unroutable_and_says_how_far_the_road_is(roads: Roads) -> None:
    answer = roads.matrix([STATION, IN_THE_SEA, HAKANIEMI])
    assert set(answer.unroutable) == {1}
    assert "The nearest road is 7" in answer.unroutable[1]
    assert "300 m is the limit" in answer.unroutable[1]
    m = answer.matrix.distance_m
    assert m[0, 1] == m[1, 0] == m[1, 2] == NO_ROAD
    assert m[1, 1] == 0
    assert m[0, 2] > 0
    assert answer.estimated == set()


@pytest.mark.parametrize(("away_m", "can_be_served"), [(290, True), (310, False), (400, False)])
def test_the_limit_of_snapping_is_300_m(two_towns: str, away_m: int, can_be_served: bool) -> None:
    stop = Point(50.0 - away_m / 100 * STEP * 0.9993, 10.0)
    answer = Roads(two_towns).matrix([Point(50.0, 10.0), stop])
    assert answer.snaps[1].snap_m == pytest.approx(away_m, abs=3)
    assert (1 not in answer.unroutable) == can_be_served
    assert (answer.matrix.distance_m[0, 1] != NO_ROAD) == can_be_served


def test_a_pair_without_a_way_is_estimated_and_said_to_be(two_towns: str) -> None:
    here, there, beside = Point(50.0, 10.0), Point(50.09, 10.0), Point(50.0009, 10.0018)
    roads = Roads(two_towns)
    for _ in range(2):  # the second time from memory
        answer = roads.matrix([here, there, beside])
        assert answer.unroutable == {}
        assert answer.estimated == {(0, 1), (1, 0), (1, 2), (2, 1)}
        assert answer.matrix.distance_m[0, 1] == pytest.approx(DETOUR * straight_m(here, there), rel=0.01)
        assert answer.matrix.duration_s[0, 1] > 0
        assert answer.matrix.distance_m[0, 2] == pytest.approx(230, abs=15)


def test_a_leg_without_a_way_is_a_straight_line_and_the_others_are_not(two_towns: str) -> None:
    here, beside, there = Point(50.0, 10.0), Point(50.0009, 10.0018), Point(50.09, 10.0)
    route = Roads(two_towns).route([here, beside, there, here])
    assert route.estimated == {1, 2}
    assert route.legs[0][0] == pytest.approx(230, abs=15)
    assert [there.lon, there.lat] in route.geometry


def test_what_was_asked_once_is_not_asked_again(
    helsinki_map_dir: Path, doors: list[Point], tmp_path: Path
) -> None:
    part = RoadsPart(tmp_path, map_dir=helsinki_map_dir)
    now = [0.0]
    roads = Roads(part.start(), now=lambda: now[0])
    try:
        first = roads.matrix(doors)
    finally:
        part.stop()
    again = roads.matrix([*doors[40:], doors[0]])
    np.testing.assert_array_equal(again.matrix.distance_m[:80, :80], first.matrix.distance_m[40:, 40:])
    assert again.matrix.distance_m[80, 0] == first.matrix.distance_m[0, 40]
    now[0] = 3601.0  # and forgotten after an hour
    with pytest.raises(RoadsDown):
        roads.matrix(doors[:5])


def test_only_the_new_points_are_asked_for(osrm_url: str, doors: list[Point]) -> None:
    roads = Roads(osrm_url)
    roads.matrix(doors[:100])
    grown = roads.matrix(doors)
    np.testing.assert_array_equal(grown.matrix.distance_m, Roads(osrm_url).matrix(doors).matrix.distance_m)


def test_a_road_server_that_dies_is_a_sentence_and_comes_back(
    helsinki_map_dir: Path, doors: list[Point], tmp_path: Path
) -> None:
    part = RoadsPart(tmp_path, map_dir=helsinki_map_dir)
    roads = Roads(part.start())
    try:
        before = roads.matrix(doors[:10])
        assert part._child is not None
        part._child.process.kill()
        part._child.process.wait()
        with pytest.raises(RoadsDown, match=r"cannot be reached.*STOWAGE_ROADS_URL"):
            roads.matrix(doors[10:20])
        with pytest.raises(RoadsDown):
            roads.route(doors[:3])
        assert part.start() == roads.url
        after = roads.matrix(doors[:20])
        np.testing.assert_array_equal(after.matrix.distance_m[:10, :10], before.matrix.distance_m)
    finally:
        part.stop()


def test_a_server_that_hangs_is_given_up(doors: list[Point]) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        roads = Roads(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=0.3)
        with pytest.raises(RoadsDown, match=r"does not answer within 0\.3 s"):
            roads.matrix(doors[:3])


def test_another_server_than_osrm_is_named(api_without_roads: str) -> None:
    with pytest.raises(RoadsDown, match="is not a road server"):
        Roads(api_without_roads).nearest(STATION)


@pytest.fixture
def api_without_roads(tmp_path: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def server_with_a_hole() -> Iterator[str]:
    """Answers as OSRM does, whose table lacks one way that its /route knows, and one that nobody knows."""

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            service, places = self.path.split("/")[1], self.path.split("/")[4].split("?")[0].split(";")
            points = [[float(v) for v in place.split(",")] for place in places]
            snapped = [{"location": p, "distance": 5.0} for p in points]
            answer: dict[str, object] = {
                "code": "Ok",
                "waypoints": snapped,
                "sources": snapped,
                "destinations": snapped,
            }
            status = 200
            if service == "table":
                cells = [[0, 600.4, None], [700.5, 0, 800], [None, 900, 0]]
                answer |= {"distances": cells, "durations": [[c and c / 10 for c in row] for row in cells]}
            elif service == "route" and points[0][1] < points[1][1]:
                legs = [{"distance": 1234.4, "duration": 99.6}]
                answer["routes"] = [{"legs": legs, "geometry": {"coordinates": points}}]
            elif service == "route":
                status, answer = 400, {"code": "NoRoute", "message": "Impossible route between points"}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_what_the_table_does_not_know_is_asked_once_more_before_it_is_estimated(
    server_with_a_hole: str,
) -> None:
    answer = Roads(server_with_a_hole).matrix([Point(60.1, 24.9), Point(60.2, 24.9), Point(60.3, 24.9)])
    assert answer.matrix.distance_m[0].tolist() == [0, 600, 1234]
    assert answer.matrix.duration_s[0].tolist() == [0, 60, 100]
    assert answer.estimated == {(2, 0)}
    assert answer.matrix.distance_m[2, 0] == pytest.approx(DETOUR * 22_239, rel=0.001)


def test_what_the_server_refuses_is_told_in_its_words(osrm_url: str) -> None:
    with pytest.raises(RoadsRefused, match="refuses"):
        Roads(osrm_url).nearest(Point(95.0, 24.0))


def test_one_point_and_none_are_matrices_too(roads: Roads) -> None:
    assert roads.matrix([]).matrix.distance_m.shape == (0, 0)
    assert roads.matrix([STATION]).matrix.distance_m.tolist() == [[0]]
    twice = roads.matrix([STATION, STATION, STOCKMANN])
    assert twice.matrix.distance_m[0, 1] == 0
    assert twice.matrix.distance_m[0, 2] == twice.matrix.distance_m[1, 2] > 0
    assert roads.route([STATION]).legs == []
    assert roads.nearest(IN_THE_SEA).is_near is False
    assert roads.nearest(STATION).is_near is True
