"""The picture of the map: what is drawn where, read back with an independent reader."""

import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import pytest

from routing import map_layers, map_tiles
from routing.map_tiles import MAX_ZOOM, MIN_ZOOM, MapTiles, MapUnreadable
from tests.routing.small_maps import STEP, Extract, town


def decoded(tiles: MapTiles, z: int, x: int, y: int) -> dict[str, Any]:
    tile = tiles.get(z, x, y)
    assert tile is not None
    return dict(mapbox_vector_tile.decode(tile.plain(), default_options={"y_coord_down": True}))


def everything(file: Path, tiles: MapTiles, zoom: int) -> list[tuple[int, int, str, dict[str, Any]]]:
    with sqlite3.connect(file) as c:
        places = c.execute("select tile_column, tile_row from tiles where zoom_level = ?", [zoom]).fetchall()
    found = []
    for x, row in places:
        y = 2**zoom - 1 - row
        for layer, content in decoded(tiles, zoom, x, y).items():
            found += [(x, y, layer, f) for f in content["features"]]
    return found


@pytest.fixture
def drawn(tmp_path: Path) -> tuple[Path, MapTiles]:
    """A little town with one of each thing."""
    extract = Extract(tmp_path / "town.osm.pbf")
    town(extract, 50.0, 10.0, size=4, oneway="yes")
    extract.outline(
        [(50.0001, 10.0002), (50.0001, 10.0010), (50.0006, 10.0010), (50.0006, 10.0002)], building="yes"
    )
    extract.outline(
        [(50.0010, 10.0002), (50.0010, 10.0016), (50.0016, 10.0016), (50.0016, 10.0002)], leisure="park"
    )
    extract.outline(
        [(50.0019, 10.0002), (50.0019, 10.0016), (50.0025, 10.0016), (50.0025, 10.0002)], natural="water"
    )
    extract.node(50.0003, 10.0005, addr_housenumber="7 B", addr_street="Street 0")
    extract.node(50.0004, 10.0006, shop="bakery", name="Ahlgren & Söner")
    extract.node(50.0005, 10.0007, place="town", name="Kleinstadt")
    extract.close()
    file = tmp_path / "tiles.mbtiles"
    assert map_tiles.build(tmp_path / "town.osm.pbf", file, name="town", version="v1") > 0
    return file, MapTiles.open(file)


def test_each_thing_is_in_its_layer(drawn: tuple[Path, MapTiles]) -> None:
    found = everything(*drawn, MAX_ZOOM)
    by_layer = {layer: f["properties"] for _, _, layer, f in found}
    assert by_layer["buildings"] == {}
    assert by_layer["landuse"] == {"kind": "park"}
    assert by_layer["water"] == {"kind": "lake"}
    assert by_layer["addresses"] == {"housenumber": "7 B"}
    assert by_layer["pois"] == {"kind": "bakery", "name": "Ahlgren & Söner"}
    assert by_layer["places"] == {"kind": "town", "name": "Kleinstadt"}
    names = {f["properties"]["name"] for _, _, layer, f in found if layer == "roads"}
    assert names == {f"Street {n}" for n in range(4)} | {f"Street Cross {n}" for n in range(4)}
    assert all(f["properties"]["oneway"] is True for _, _, layer, f in found if layer == "roads")


def test_a_thing_stands_where_it_is_on_the_earth(drawn: tuple[Path, MapTiles]) -> None:
    import math

    (x, y, _, shop), *_ = [f for f in everything(*drawn, MAX_ZOOM) if f[2] == "pois"]
    px, py = shop["geometry"]["coordinates"]
    size = 2**MAX_ZOOM
    lon = (x + px / 4096) / size * 360 - 180
    lat = math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * (y + py / 4096) / size))))
    assert lon == pytest.approx(10.0006, abs=5e-6)
    assert lat == pytest.approx(50.0004, abs=5e-6)


def test_far_away_only_what_is_large_is_drawn(drawn: tuple[Path, MapTiles]) -> None:
    layers = {zoom: Counter(f[2] for f in everything(*drawn, zoom)) for zoom in range(MIN_ZOOM, MAX_ZOOM + 1)}
    assert layers[10].keys() == {"places"}
    assert "roads" not in layers[12]
    assert "roads" in layers[13]
    assert "addresses" not in layers[14]


def test_what_was_built_of_the_same_is_the_same(drawn: tuple[Path, MapTiles], tmp_path: Path) -> None:
    again = tmp_path / "again.mbtiles"
    map_tiles.build(tmp_path / "town.osm.pbf", again, name="town", version="v1")
    assert again.read_bytes() == drawn[0].read_bytes()


def test_the_sea_is_right_of_the_coast(tmp_path: Path) -> None:
    extract = Extract(tmp_path / "coast.osm.pbf")
    town(extract, 50.0, 10.0, size=6)
    middle = 10.0 + 5 * STEP
    extract.way([extract.node(49.99, middle), extract.node(50.01, middle)], natural="coastline")
    extract.close()
    layers = map_layers.read(tmp_path / "coast.osm.pbf")
    sea = [
        g
        for f, g in zip(layers.features, layers.geometries, strict=True)
        if f.properties.get("kind") == "sea"
    ]
    (west, _, east, _), *others = [g.bounds for g in sea]
    at = map_layers.MERCATOR_M / 180
    assert others == []
    assert west == pytest.approx(middle * at, abs=1)  # drawn to the north: the right is the east
    assert east == pytest.approx((10.0 + 10 * STEP) * at, abs=1)


def test_helsinki_has_streets_houses_water_and_numbers(helsinki_map_dir: Path) -> None:
    file = helsinki_map_dir / "tiles.mbtiles"
    tiles = MapTiles.open(file)
    found = Counter(layer for _, _, layer, _ in everything(file, tiles, MAX_ZOOM))
    assert found["roads"] > 1500
    assert found["buildings"] > 400
    assert found["addresses"] > 1300
    assert found["water"] > 5
    assert found["landuse"] > 200
    assert tiles.info.bounds == pytest.approx((24.935, 60.164, 24.953, 60.179), abs=0.001)
    assert "OpenStreetMap contributors" in tiles.info.attribution
    assert tiles.get(15, 0, 0) is None


def test_a_file_that_is_no_map_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.mbtiles").write_text("hello")
    with pytest.raises(MapUnreadable, match=r"x\.mbtiles is not a map of ours.*stowage roads build"):
        MapTiles.open(tmp_path / "x.mbtiles")
    with pytest.raises(MapUnreadable):
        MapTiles.open(tmp_path / "nothing.mbtiles")
