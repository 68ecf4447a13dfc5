"""The map over HTTP: what it covers, its tiles, and the search for an address.

The map itself is open: it is OpenStreetMap, and a customer who follows a delivery has no log-in. Addresses are for
people who are logged in. Layers of the tiles: see `routing.map_tiles`.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Path as InPath
from fastapi import Query, Request, Response
from pydantic import BaseModel, Field

from backend import api, maps
from backend.api import Who
from routing.map_tiles import ATTRIBUTION

router = api.router(tags=["map"])

TILES_URL = "/api/v1/map/tiles/{z}/{x}/{y}.mvt"
KEPT_S = 24 * 3600


class MapDescription(BaseModel):
    """What a map on the screen begins with."""

    available: bool = Field(
        description="False: there is no map (yet); show stops without streets, and ask again"
    )
    name: str | None = None
    bounds: list[float] | None = Field(default=None, description="[west, south, east, north] in degrees")
    center: list[float] | None = Field(default=None, description="[longitude, latitude]")
    min_zoom: int | None = None
    max_zoom: int | None = Field(
        default=None, description="The map is drawn larger beyond, from the same tiles"
    )
    tiles: str = Field(
        default=TILES_URL, description="Mapbox vector tiles: water, landuse, buildings, roads, ..."
    )
    version: str | None = Field(
        default=None, description="Changes when the map does; add it to the tiles' address as ?v="
    )
    attribution: str = Field(default=ATTRIBUTION, description="To be shown on every map (ODbL)")


class AddressMatch(BaseModel):
    label: str
    lat: float
    lon: float
    score: float = Field(description="0 to 1; 1 is exactly what was asked for")


class AddressMatches(BaseModel):
    available: bool = Field(
        description="False: no map is there (yet), nothing can be found; put a pin instead"
    )
    matches: list[AddressMatch]
    sure: bool = Field(description="The first one is meant, and no other")


@router.get("/map", response_model=MapDescription)
def describe_map() -> MapDescription:
    info = maps.info()
    if info is None:
        return MapDescription(available=False)
    return MapDescription(
        available=True,
        name=info.name,
        bounds=list(info.bounds),
        center=list(info.center),
        min_zoom=info.min_zoom,
        max_zoom=info.max_zoom,
        version=info.version,
        attribution=info.attribution,
    )


@router.get(
    "/map/tiles/{z}/{x}/{y}.mvt",
    response_class=Response,
    responses={
        200: {"content": {"application/vnd.mapbox-vector-tile": {}}},
        204: {"description": "Nothing is there"},
    },
)
def map_tile(
    request: Request,
    z: Annotated[int, InPath(ge=0, le=22)],
    x: Annotated[int, InPath(ge=0, lt=2**22)],
    y: Annotated[int, InPath(ge=0, lt=2**22)],
) -> Response:
    """One tile, gzipped as it is kept."""
    tiles = maps.tiles()
    tile = tiles.get(z, x, y) if tiles is not None else None
    headers = {"Cache-Control": f"public, max-age={KEPT_S if tiles is not None else 5}"}
    if tiles is None or tile is None:
        return Response(status_code=204, headers=headers)
    headers |= {"ETag": f'"{tiles.info.version}-{z}-{x}-{y}"', "Vary": "Accept-Encoding"}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    media_type = "application/vnd.mapbox-vector-tile"
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(tile.plain(), media_type=media_type, headers=headers)
    return Response(tile.gzipped, media_type=media_type, headers=headers | {"Content-Encoding": "gzip"})


@router.get("/addresses", response_model=AddressMatches)
def find_addresses(
    who: Who,
    q: Annotated[str, Query(min_length=1, max_length=200, description="As a person writes it")],
    limit: Annotated[int, Query(ge=1, le=20)] = 5,
) -> AddressMatches:
    addresses = maps.addresses()
    if addresses is None:
        return AddressMatches(available=False, matches=[], sure=False)
    return AddressMatches(
        available=True,
        matches=[
            AddressMatch(label=m.label, lat=m.lat, lon=m.lon, score=round(m.score, 3))
            for m in addresses.find(q, limit=limit)
        ],
        sure=addresses.best(q) is not None,
    )
