"""The map over HTTP: open to everybody, cached well, and honest while there is none."""

import gzip
from pathlib import Path

import mapbox_vector_tile
import pytest

from backend import maps
from backend.db import Conn
from backend.maps.configured import TILES
from routing.roads import Point, RoadsDown
from tests.conftest import Api, Warehouse

STATION_TILE = (15, 18653, 9484)


def tile_address(z: int, x: int, y: int) -> str:
    return f"/api/v1/map/tiles/{z}/{x}/{y}.mvt"


@pytest.mark.usefixtures("helsinki")
def test_the_map_says_what_it_covers_to_everybody(api: Api) -> None:
    del api.headers["Authorization"]
    said = api.get("/api/v1/map").json()
    assert said["available"] is True
    assert said["name"] == "Helsinki"
    assert said["bounds"] == pytest.approx([24.935, 60.164, 24.953, 60.179], abs=0.001)
    assert said["center"] == pytest.approx([24.944, 60.1716], abs=0.001)
    assert (said["min_zoom"], said["max_zoom"]) == (10, 15)
    assert said["tiles"] == "/api/v1/map/tiles/{z}/{x}/{y}.mvt"
    assert "OpenStreetMap contributors" in said["attribution"]
    assert "ODbL" in said["attribution"]


@pytest.mark.usefixtures("helsinki")
def test_a_tile_comes_gzipped_and_is_asked_for_once(api: Api) -> None:
    del api.headers["Authorization"]
    tile = api.get(tile_address(*STATION_TILE), headers={"Accept-Encoding": "gzip"})
    assert tile.status_code == 200
    assert tile.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert tile.headers["content-encoding"] == "gzip"
    assert "public" in tile.headers["cache-control"]
    assert "roads" in mapbox_vector_tile.decode(tile.content)
    again = api.get(tile_address(*STATION_TILE), headers={"If-None-Match": tile.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    unzipped = api.get(tile_address(*STATION_TILE), headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in unzipped.headers
    assert unzipped.content == tile.content  # the client has unzipped the first
    with pytest.raises(gzip.BadGzipFile):
        gzip.decompress(unzipped.content)


@pytest.mark.usefixtures("helsinki")
@pytest.mark.parametrize("tile", [(15, 0, 0), (3, 7, 7), (20, 1, 1), (9, 291, 148)])
def test_where_nothing_is_drawn_there_is_no_content(api: Api, tile: tuple[int, int, int]) -> None:
    answer = api.get(tile_address(*tile))
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.usefixtures("helsinki")
@pytest.mark.parametrize("path", ["15/x/1", "15/-1/1", "99/1/1", "15/1/99999999999999999999"])
def test_what_cannot_be_a_tile_is_refused(api: Api, path: str) -> None:
    assert api.get(f"/api/v1/map/tiles/{path}.mvt").status_code == 422


@pytest.mark.usefixtures("helsinki")
def test_an_address_is_found_by_who_is_logged_in(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    api.as_user(conn, "dora", ["dispatcher"], warehouse.site_id)
    found = api.get("/api/v1/addresses", params={"q": "aleksanterink. 52, helsinki"}).json()
    assert found["sure"] is True
    assert found["matches"][0]["label"] == "Aleksanterinkatu 52, 00100 Helsinki"
    assert found["matches"][0]["lat"] == pytest.approx(60.1678, abs=0.001)
    unsure = api.get("/api/v1/addresses", params={"q": "Mannerheimintie 999", "limit": 2}).json()
    assert unsure["sure"] is False
    assert len(unsure["matches"]) == 2
    assert api.get("/api/v1/addresses", params={"q": ""}).status_code == 422
    del api.headers["Authorization"]
    assert api.get("/api/v1/addresses", params={"q": "Aleksanterinkatu 52"}).status_code == 401


def test_without_a_map_everything_says_so(api: Api) -> None:
    maps.configure(None, None)
    assert api.get("/api/v1/map").json()["available"] is False
    assert api.get(tile_address(*STATION_TILE)).status_code == 204
    found = api.get("/api/v1/addresses", params={"q": "Aleksanterinkatu 52"}).json()
    assert found == {"available": False, "matches": [], "sure": False}
    assert maps.addresses() is None
    with pytest.raises(RoadsDown, match="STOWAGE_ROADS_URL"):
        maps.roads()


def test_a_map_that_comes_late_is_taken_up(api: Api, helsinki_map_dir: Path, tmp_path: Path) -> None:
    maps.configure("http://127.0.0.1:9", tmp_path / "map")
    try:
        assert api.get("/api/v1/map").json()["available"] is False
        (tmp_path / "map").symlink_to(helsinki_map_dir)
        assert api.get("/api/v1/map").json()["available"] is True
        assert api.get(tile_address(*STATION_TILE)).status_code == 200
        with pytest.raises(RoadsDown, match="cannot be reached"):
            maps.roads().matrix([Point(60.17, 24.94), Point(60.18, 24.95)])
    finally:
        maps.configure(None, None)


def test_a_damaged_map_is_no_fault_of_ours_for_long(api: Api, tmp_path: Path) -> None:
    (tmp_path / TILES).write_bytes(b"not a map")
    maps.configure(None, tmp_path)
    try:
        answer = api.get("/api/v1/map")
        assert answer.status_code == 503
        assert "stowage roads build" in answer.json()["detail"]
    finally:
        maps.configure(None, None)
