"""Tags and license plates over the API. Unknown tags are claimed in `receiving`, which may count them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from psycopg.rows import dict_row
from pydantic import BaseModel, Field

from backend import api
from backend.api import Ctx, Db, Quantity, Site, allow
from backend.catalog import lot_of, resolve_code
from backend.catalog.tags.commission import NewTag, commission, decommission, read_epc
from backend.catalog.tags.commission import retag as replace_tag
from backend.catalog.tags.plates import NewPlate, PlateContent, create_plate, create_plates
from backend.errors import Invalid, NotFound, Unknown
from backend.labels import print_license_plate
from backend.paging import Cursor, Limit, Page, page_of, uuid_cursor

router = api.router(tags=["tags"])

Epc = Annotated[str, Field(min_length=4, max_length=200)]
LotCode = Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[^\x00]+$")]
Serial = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00]+$")]
PlateKind = Literal["pallet", "case", "carton", "tote"]
PlateState = Literal["expected", "open", "closed", "shipped", "gone"]
PlateCode = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}$")]


class TagOut(BaseModel):
    id: UUID
    epc: str
    state: Literal["active", "replaced", "decommissioned"]
    origin: Literal["commissioned", "expected", "decoded", "claimed"]
    item_id: UUID | None
    sku: str | None
    pack: str | None
    units: Quantity = Field(description="Base units that one tag stands for")
    lot: str | None
    serial: str | None
    license_plate_id: UUID | None
    license_plate: str | None
    replaced_by: str | None
    commissioned_at: datetime
    commissioned_by: str


_TAG = """
    select t.id, t.epc, t.state, t.origin, t.item_id, i.sku, k.name as pack, coalesce(k.units, 1) as units, l.code as lot, t.serial,
           t.license_plate_id, lp.code as license_plate, n.epc as replaced_by, t.commissioned_at, t.commissioned_by
    from tag t left join item i on i.id = t.item_id left join item_pack k on k.id = t.pack_id left join lot l on l.id = t.lot_id
         left join license_plate lp on lp.id = t.license_plate_id left join tag n on n.id = t.replaced_by"""


def _tag(conn: Db, tag_id: UUID) -> TagOut:
    with conn.cursor(row_factory=dict_row) as cur:
        row = cur.execute(f"{_TAG} where t.id = %s".encode(), [tag_id]).fetchone()
    assert row is not None
    return TagOut(**row)


@router.get("/tags", response_model=Page[TagOut])
def list_tags(
    conn: Db,
    site: Site,
    epc: Annotated[str | None, Query(max_length=200)] = None,
    item_id: UUID | None = None,
    license_plate_id: UUID | None = None,
    state: Literal["active", "replaced", "decommissioned"] | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[TagOut]:
    after = uuid_cursor(cursor)
    wanted = read_epc(epc) if epc else None
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(
            f"""{_TAG} where (lp.id is null or lp.site_id = %s) and (%s::text is null or t.epc = %s)
                and (%s::uuid is null or t.item_id = %s) and (%s::uuid is null or t.license_plate_id = %s)
                and (%s::text is null or t.state = %s) and (%s::uuid is null or t.id < %s)
                order by t.id desc limit %s""".encode(),
            [site, wanted, wanted, item_id, item_id, license_plate_id, license_plate_id, state, state,
             after, after, limit + 1],
        ).fetchall()  # fmt: skip
    return page_of(rows, limit, lambda r: [r["id"]], lambda r: TagOut(**r))


class NewTagIn(BaseModel):
    """An item (by id, SKU or a scanned code) or a license plate."""

    epc: Epc = Field(description="Hexadecimal or an EPC URI")
    code: Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")] | None = Field(
        default=None, description="A scanned item code; pack, lot and serial come out of it"
    )
    item_id: UUID | None = None
    pack_id: UUID | None = None
    lot: LotCode | None = None
    expires_on: date | None = None
    serial: Serial | None = None
    license_plate: PlateCode | None = None


@router.post("/tags", response_model=TagOut, status_code=201, dependencies=[allow("worker", "integrator")])
def commission_tag(body: NewTagIn, conn: Db, ctx: Ctx) -> TagOut:
    item_id, pack_id, lot, expires_on, serial = (
        body.item_id,
        body.pack_id,
        body.lot,
        body.expires_on,
        body.serial,
    )
    plate = body.license_plate
    if body.code:
        found = resolve_code(conn, ctx.site_id, body.code)
        if found.item_id is None and found.license_plate_id is None:
            raise Invalid(f"{body.code} is neither an item nor a license plate.", field="code")
        if found.item_id is None:
            plate = found.code
        else:
            item_id, pack_id = found.item_id, found.pack_id
            lot, expires_on = found.lot_code or lot, found.expires_on or expires_on
            serial = found.serial or serial
    if item_id is not None and conn.execute("select 1 from item where id = %s", [item_id]).fetchone() is None:
        raise Unknown("There is no such item.", field="item_id")
    new = NewTag(
        body.epc,
        item_id,
        pack_id,
        lot_of(conn, item_id, lot, expires_on) if item_id is not None and lot else None,
        serial,
        _plate_id(conn, ctx.site_id, plate, "license_plate") if plate else None,
    )
    return _tag(conn, commission(conn, ctx, new))


def _plate_id(conn: Db, site_id: UUID, code: str, field: str) -> UUID:
    row = conn.execute(
        "select id from license_plate where site_id = %s and code = %s", [site_id, code]
    ).fetchone()
    if row is None:
        raise Unknown(f"There is no license plate {code} at this site.", field=field)
    return UUID(str(row[0]))


class Retag(BaseModel):
    new_epc: Epc


@router.post("/tags/{epc}/retag", response_model=TagOut, dependencies=[allow("worker", "integrator")])
def retag(epc: str, body: Retag, conn: Db, ctx: Ctx) -> TagOut:
    """The old tag is replaced; the new one stands for the same."""
    return _tag(conn, replace_tag(conn, ctx, epc, body.new_epc))


@router.post(
    "/tags/{epc}/decommission",
    response_model=None,
    status_code=204,
    dependencies=[allow("worker", "integrator")],
)
def decommission_tag(epc: str, conn: Db, ctx: Ctx) -> None:
    decommission(conn, ctx, epc)


# --- license plates ---------------------------------------------------------------------------------------


class PlateContentOut(BaseModel):
    item_id: UUID
    sku: str
    name: str
    unit: str
    lot: str | None
    expires_on: date | None
    serial: str | None
    status: str
    quantity: Quantity
    reserved: Quantity
    on: str = Field(description="Code of the plate it is on: this one, or one inside it")


class LicensePlateOut(BaseModel):
    id: UUID
    code: str
    kind: PlateKind
    state: PlateState
    inside: str | None
    place_id: UUID | None
    place: str | None
    weight_g: Quantity | None
    created_at: datetime
    skus: list[str] = Field(description="What is on it and on the plates inside it, at most 20")


class LicensePlateDetail(LicensePlateOut):
    contents: list[PlateContentOut]
    holds: list[str] = Field(description="Codes of the plates inside it")


_PLATE = """
    select lp.id, lp.code, lp.kind, lp.state, up.code as inside, lp.place_id, p.code as place, lp.weight_g, lp.created_at,
           array(with recursive inside as (select lp.id union select c.id from license_plate c join inside on c.parent_id = inside.id)
                 select distinct i.sku from inside join balance b on b.license_plate_id = inside.id join item i on i.id = b.item_id
                 where b.on_hand > 0 order by i.sku limit 20) as skus
    from license_plate lp left join license_plate up on up.id = lp.parent_id left join place p on p.id = lp.place_id"""


def _rows(conn: Db, query: str, params: list[Any] | dict[str, Any]) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cur:
        return cur.execute(query.encode(), params).fetchall()


@router.get("/license-plates", response_model=Page[LicensePlateOut])
def list_license_plates(
    conn: Db,
    site: Site,
    q: Annotated[
        str, Query(max_length=63, description="Part of its code; or how its place, or an item on it, begins")
    ] = "",
    kind: PlateKind | None = None,
    place_id: UUID | None = None,
    state: Annotated[list[PlateState] | None, Query()] = None,
    empty: Annotated[bool | None, Query(description="Nothing is on it, goods or plates")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[LicensePlateOut]:
    """The newest first."""
    after = uuid_cursor(cursor)
    params = {
        "site": site, "q": q.replace("\0", ""), "kind": kind, "place": place_id, "state": state, "empty": empty,
        "after": after, "limit": limit + 1,
    }  # fmt: skip
    rows = _rows(
        conn,
        f"""{_PLATE} where lp.site_id = %(site)s and (%(place)s::uuid is null or lp.place_id = %(place)s)
            and (position(upper(%(q)s) in upper(lp.code)) > 0 or starts_with(upper(p.code), upper(%(q)s)) or exists (
                 select 1 from balance b join item i on i.id = b.item_id
                 where b.license_plate_id = lp.id and b.on_hand > 0 and starts_with(upper(i.sku), upper(%(q)s))))
            and (%(kind)s::text is null or lp.kind = %(kind)s) and (%(state)s::text[] is null or lp.state = any(%(state)s))
            and (%(empty)s::boolean is null or %(empty)s = not (
                 exists (select 1 from balance b where b.license_plate_id = lp.id and b.on_hand > 0)
                 or exists (select 1 from license_plate c where c.parent_id = lp.id)))
            and (%(after)s::uuid is null or lp.id < %(after)s) order by lp.id desc limit %(limit)s""",
        params,
    )
    return page_of(rows, limit, lambda r: [r["id"]], lambda r: LicensePlateOut(**r))


@router.get("/license-plates/{code}", response_model=LicensePlateDetail)
def get_license_plate(code: str, conn: Db, site: Site) -> LicensePlateDetail:
    """By its SSCC or own code, or by its id."""
    rows = _rows(
        conn,
        f"{_PLATE} where lp.site_id = %s and (lp.code = %s or lp.id::text = %s)",
        [site, code, code.lower()],
    )
    if not rows:
        raise NotFound("There is no such license plate at this site.")
    plate_id = rows[0]["id"]
    contents = _rows(
        conn,
        """with recursive inside as (select id from license_plate where id = %s
               union select c.id from license_plate c join inside on c.parent_id = inside.id)
           select b.item_id, i.sku, i.name, i.base_unit as unit, l.code as lot, l.expires_on, b.serial, b.status,
                  b.on_hand as quantity, b.reserved, lp.code as on
           from balance b join inside on inside.id = b.license_plate_id join license_plate lp on lp.id = b.license_plate_id
                join item i on i.id = b.item_id left join lot l on l.id = b.lot_id
           where b.on_hand > 0 order by lp.code, i.sku, l.code, b.serial""",
        [plate_id],
    )
    holds = _rows(conn, "select code from license_plate where parent_id = %s order by code", [plate_id])
    return LicensePlateDetail(
        **rows[0], contents=[PlateContentOut(**c) for c in contents], holds=[h["code"] for h in holds]
    )


class NewPlateContent(BaseModel):
    item_id: UUID
    quantity: Annotated[Quantity, Field(gt=0, lt=10**11)]
    lot: LotCode | None = None
    serial: Serial | None = None
    status: Literal["available", "damaged", "quarantine"] = "available"


class NewLicensePlate(BaseModel):
    kind: PlateKind = "pallet"
    code: PlateCode | None = Field(default=None, description="Left out: an SSCC of the site")
    place_id: UUID | None = None
    inside: PlateCode | None = None
    contents: list[NewPlateContent] = Field(
        default=[], max_length=500, description="Taken from loose stock at the place"
    )
    print_label: bool = False


@router.post(
    "/license-plates",
    response_model=LicensePlateDetail,
    status_code=201,
    dependencies=[allow("worker", "integrator")],
)
def create_license_plate(body: NewLicensePlate, conn: Db, ctx: Ctx) -> LicensePlateDetail:
    contents = []
    for n, c in enumerate(body.contents):
        lot_id = None
        if c.lot:
            row = conn.execute(
                "select id from lot where item_id = %s and code = %s", [c.item_id, c.lot]
            ).fetchone()
            if row is None:
                raise Unknown(f"The item has no lot {c.lot}.", field=f"contents.{n}.lot")
            lot_id = row[0]
        contents.append(PlateContent(c.item_id, c.quantity, lot_id, c.serial, c.status))
    parent_id = _plate_id(conn, ctx.site_id, body.inside, "inside") if body.inside else None
    plate_id = create_plate(
        conn, ctx, NewPlate(body.kind, body.code, body.place_id, parent_id, tuple(contents))
    )
    if body.print_label:
        print_license_plate(conn, ctx, plate_id)
    return get_license_plate(str(plate_id), conn, ctx.site_id)


class NewLicensePlates(BaseModel):
    kind: PlateKind = "tote"
    count: Annotated[int, Field(ge=1, le=200)] = 1
    code: PlateCode | None = Field(
        default=None,
        description="Of the first; the others count on from the number at its end. Left out: SSCCs",
    )
    place: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$")] | None = Field(
        default=None, description="Where they stand: the code of the place"
    )
    print_labels: bool = False


class LicensePlatesMade(BaseModel):
    plates: list[LicensePlateOut]
    labels: Literal["none", "waiting", "no_printer"] = Field(
        description="waiting: on their way to the printer; no_printer: the site has none, they wait"
    )


@router.post(
    "/license-plates/series",
    response_model=LicensePlatesMade,
    status_code=201,
    dependencies=[allow("worker", "integrator")],
)
def create_license_plates(body: NewLicensePlates, conn: Db, ctx: Ctx) -> LicensePlatesMade:
    """Empty ones, all or none, each with its label where that is wanted."""
    place_id = _place_id(conn, ctx.site_id, body.place) if body.place else None
    ids = create_plates(conn, ctx, body.kind, body.count, code=body.code, place_id=place_id)
    labels = [print_license_plate(conn, ctx, plate_id) for plate_id in ids] if body.print_labels else []
    waits = conn.execute(
        "select 1 from label where id = any(%s) and state = 'no_printer'", [labels]
    ).fetchone()
    rows = _rows(conn, f"{_PLATE} where lp.id = any(%s) order by array_position(%s, lp.id)", [ids, ids])
    return LicensePlatesMade(
        plates=[LicensePlateOut(**r) for r in rows],
        labels="none" if not labels else "no_printer" if waits else "waiting",
    )


def _place_id(conn: Db, site_id: UUID, code: str) -> UUID:
    row = conn.execute(
        "select id, holds_stock and is_physical from place where site_id = %s and upper(code) = upper(%s)",
        [site_id, code.strip()],
    ).fetchone()
    if row is None:
        raise Unknown(f"There is no place {code}.", field="place")
    if not row[1]:
        raise Invalid("This place does not hold stock itself; name a bin in it.", field="place")
    return UUID(str(row[0]))
