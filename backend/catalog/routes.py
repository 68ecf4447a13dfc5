"""Sites, places, items, packs, partners, supplier prices, lots, outside keys, look-up and search."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import available_timezones

from fastapi import Query
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from pydantic import BaseModel, ConfigDict, Field, field_validator

from backend import api, orders, receiving
from backend.api import Db, Quantity, Site, SiteId, Who, allow
from backend.catalog.codes import Kind, resolve_code
from backend.catalog.matching import ITEM_MATCHES, like
from backend.catalog.sites import create_site as make_site
from backend.dispatch import search as dispatch_search
from backend.errors import ChangedMeanwhile, Conflict, Forbidden, Invalid, NotFound, Unknown
from backend.ids import new_id
from backend.live.announce import announce
from backend.paging import Cursor, Limit, Page, decode_cursor, page_of, uuid_cursor
from device_drivers.gs1 import is_valid_gtin

router = api.router(tags=["catalog"])

Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}$")]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
Text = Annotated[str, Query(max_length=200)]
StorageClass = Literal["ambient", "chilled", "frozen", "hazard"]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]


class Row(BaseModel):
    model_config = ConfigDict(extra="ignore")


def _one(conn: Db, query: str, params: list[Any], what: str) -> dict[str, Any]:
    with conn.cursor(row_factory=dict_row) as cur:
        row = cur.execute(query.encode(), params).fetchone()
    if row is None:
        raise NotFound(f"There is no such {what}.")
    return row


def _many(conn: Db, query: str, params: list[Any] | dict[str, Any]) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cur:
        return cur.execute(query.encode(), params).fetchall()


def _update(
    conn: Db, table: str, row_id: UUID, version: int, changes: dict[str, Any], present: dict[str, Any]
) -> None:
    """Sets the named columns when nobody was faster. `changes` keys are field names of a model, never input."""
    if present["version"] != version:
        raise ChangedMeanwhile(
            "Somebody else changed this meanwhile; look at the present state and decide again.",
            field="version",
            present_version=present["version"],
        )
    sets = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(k), sql.Placeholder()) for k in changes
    )
    if changes:
        statement = sql.SQL("update {} set {}, version = version + 1 where id = %s and version = %s").format(
            sql.Identifier(table), sets
        )
        if conn.execute(statement, [*changes.values(), row_id, version]).rowcount != 1:
            raise ChangedMeanwhile("Somebody else changed this meanwhile; look again.", field="version")


# --- sites ------------------------------------------------------------------------------------------------


class SiteOut(Row):
    id: UUID
    code: str
    name: str
    time_zone: str
    gs1_company_prefix: str | None


class NewSite(BaseModel):
    code: Code
    name: Name
    time_zone: str = Field(default="UTC", max_length=64)
    gs1_company_prefix: str | None = Field(default=None, pattern=r"^[0-9]{6,12}$")

    @field_validator("time_zone")
    @classmethod
    def known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("not an IANA time zone, such as Europe/Helsinki")
        return value


@router.get("/sites", response_model=Page[SiteOut])
def list_sites(who: Who, conn: Db) -> Page[SiteOut]:
    rows = _many(
        conn,
        "select * from site where %s::uuid is null or id = %s order by code limit 1000",
        [who.site_id, who.site_id],
    )
    return Page(items=[SiteOut(**r) for r in rows])


@router.post("/sites", response_model=SiteOut, status_code=201, dependencies=[allow("admin")])
def create_site(body: NewSite, who: Who, conn: Db) -> SiteOut:
    if who.site_id is not None:
        raise Forbidden("You administer one site; a new one is made by an administrator of all sites.")
    site_id = make_site(conn, **body.model_dump())
    return SiteOut(**_one(conn, "select * from site where id = %s", [site_id], "site"))


# --- places -----------------------------------------------------------------------------------------------

PhysicalKind = Literal[
    "building", "zone", "aisle", "bin", "dock_door", "staging", "pack_bench", "vehicle", "quarantine"
]
Metres = Annotated[float, Field(ge=-10000, le=10000)]


class PlaceOut(Row):
    id: UUID
    site_id: UUID
    parent_id: UUID | None
    code: str
    name: str
    kind: str
    is_physical: bool
    holds_stock: bool
    storage_class: str
    pick_sequence: int | None
    max_units: Quantity | None
    mixed_items: bool
    mixed_lots: bool
    active: bool
    erp_location: str | None
    x_m: float | None
    y_m: float | None
    width_m: float | None
    depth_m: float | None
    version: int


class PlaceFields(BaseModel):
    name: Annotated[str, Field(max_length=200)] = ""
    parent_id: UUID | None = None
    holds_stock: bool = True
    storage_class: StorageClass = "ambient"
    pick_sequence: Annotated[int, Field(ge=0, le=10**6)] | None = None
    max_units: Annotated[Quantity, Field(gt=0)] | None = None
    mixed_items: bool = True
    mixed_lots: bool = True
    active: bool = True
    erp_location: Annotated[str, Field(max_length=100)] | None = None
    x_m: Metres | None = None
    y_m: Metres | None = None
    width_m: Annotated[float, Field(gt=0, le=10000)] | None = None
    depth_m: Annotated[float, Field(gt=0, le=10000)] | None = None


class NewPlace(PlaceFields):
    code: Code
    kind: PhysicalKind


class PlaceChange(PlaceFields):
    version: Version


@router.get("/places", response_model=Page[PlaceOut])
def list_places(
    conn: Db, site: Site, kind: Annotated[str | None, Query(max_length=40)] = None, parent_id: UUID | None = None,
    q: Text = "", limit: Limit = 200, cursor: Cursor = None,
) -> Page[PlaceOut]:  # fmt: skip
    after = decode_cursor(cursor, 1)
    rows = _many(
        conn,
        """select * from place where site_id = %s and code > %s and (%s::text is null or kind = %s)
           and (%s::uuid is null or parent_id = %s) and (code ilike %s or name ilike %s) order by code limit %s""",
        [site, after[0] if after else "", kind, kind, parent_id, parent_id, like(q), like(q), limit + 1],
    )
    return page_of(rows, limit, lambda r: [r["code"]], lambda r: PlaceOut(**r))


@router.post("/places", response_model=PlaceOut, status_code=201, dependencies=[allow("lead", "integrator")])
def create_place(body: NewPlace, conn: Db, site: Site) -> PlaceOut:
    _check_parent(conn, site, body.parent_id)
    place_id = new_id()
    fields = {"id": place_id, "site_id": site, **body.model_dump()}
    names = sql.SQL(", ").join(map(sql.Identifier, fields))
    conn.execute(
        sql.SQL("insert into place ({}) values ({})").format(
            names, sql.SQL(", ").join([sql.Placeholder()] * len(fields))
        ),
        list(fields.values()),
    )
    announce(conn, site, "floor", place_id)
    return PlaceOut(**_place(conn, site, place_id))


def _place(conn: Db, site: UUID, place_id: UUID) -> dict[str, Any]:
    return _one(
        conn, "select * from place where site_id = %s and id = %s", [site, place_id], "place at this site"
    )


def _check_parent(conn: Db, site: UUID, parent_id: UUID | None, child: UUID | None = None) -> None:
    if parent_id is None:
        return
    row = conn.execute(
        "select is_physical from place where site_id = %s and id = %s", [site, parent_id]
    ).fetchone()
    if row is None or not row[0]:
        raise Invalid("The parent is no physical place of this site.", field="parent_id")
    loop = (
        child is not None
        and conn.execute(
            """with recursive up as (select id, parent_id from place where id = %s
               union select p.id, p.parent_id from place p join up on p.id = up.parent_id)
           select 1 from up where id = %s""",
            [parent_id, child],
        ).fetchone()
    )
    if loop:
        raise Invalid("A place cannot lie inside itself.", field="parent_id")


@router.get("/places/{place_id}", response_model=PlaceOut)
def get_place(place_id: UUID, conn: Db, site: Site) -> PlaceOut:
    return PlaceOut(**_place(conn, site, place_id))


@router.patch("/places/{place_id}", response_model=PlaceOut, dependencies=[allow("lead", "integrator")])
def change_place(place_id: UUID, body: PlaceChange, conn: Db, site: Site) -> PlaceOut:
    present = _place(conn, site, place_id)
    changes = body.model_dump(exclude_unset=True, exclude={"version"})
    _check_parent(conn, site, changes.get("parent_id"), place_id)
    if not present["is_physical"] and set(changes) - {"erp_location", "name"}:
        raise Conflict("Of a virtual place only the name and the ERP location can be changed.")
    if changes.get("active") is False or changes.get("holds_stock") is False:
        full = conn.execute(
            "select sum(on_hand) from balance where site_id = %s and place_id = %s", [site, place_id]
        ).fetchone()
        if full and full[0]:
            raise Conflict(f"{present['code']} still holds stock; move it first.", field="active")
    _update(conn, "place", place_id, body.version, changes, present)
    announce(conn, site, "floor", place_id)
    return PlaceOut(**_place(conn, site, place_id))


# --- items ------------------------------------------------------------------------------------------------

Grams = Annotated[Quantity, Field(gt=0, lt=10**11)]


class PackOut(Row):
    id: UUID
    name: str
    units: Quantity
    gtin: str | None
    weight_g: Quantity | None


class ItemOut(Row):
    id: UUID
    sku: str
    name: str
    name_i18n: dict[str, str]
    base_unit: str
    quantity_decimals: int
    tracking: str
    has_expiry: bool
    storage_class: str
    weight_g: Quantity | None
    volume_ml: Quantity | None = Field(description="Room one base unit takes; null: 5 ml a gram")
    active: bool
    version: int
    packs: list[PackOut] = []


def _gtin(value: str | None) -> str | None:
    if value is None:
        return None
    if not is_valid_gtin(value):
        raise ValueError("not a GTIN: 8, 12, 13 or 14 digits with a right check digit")
    return value.zfill(14)


class NewPack(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=40)]
    units: Annotated[Quantity, Field(gt=0, lt=10**9)]
    gtin: str | None = None
    weight_g: Grams | None = None
    _check_gtin = field_validator("gtin")(_gtin)


class ItemFields(BaseModel):
    name: Name
    name_i18n: dict[Annotated[str, Field(max_length=10)], Name] = Field(default={}, max_length=20)
    storage_class: StorageClass = "ambient"
    has_expiry: bool = False
    weight_g: Grams | None = None
    volume_ml: Grams | None = Field(
        default=None, description="Room one base unit takes; 5 ml a gram where left out"
    )
    active: bool = True


class NewItem(ItemFields):
    sku: Code
    base_unit: Annotated[str, Field(min_length=1, max_length=20)] = "each"
    quantity_decimals: Annotated[int, Field(ge=0, le=6)] = 0
    tracking: Literal["none", "lot", "serial"] = "none"
    gtin: str | None = Field(default=None, description="GTIN of one base unit")
    packs: list[NewPack] = Field(default=[], max_length=20)
    _check_gtin = field_validator("gtin")(_gtin)


class ItemChange(BaseModel):
    version: Version
    name: Name | None = None
    name_i18n: dict[Annotated[str, Field(max_length=10)], Name] | None = None
    storage_class: StorageClass | None = None
    has_expiry: bool | None = None
    weight_g: Grams | None = None
    volume_ml: Grams | None = None
    active: bool | None = None


def _item(conn: Db, item_id: UUID) -> ItemOut:
    row = _one(conn, "select * from item where id = %s", [item_id], "item")
    packs = _many(conn, "select * from item_pack where item_id = %s order by units", [item_id])
    return ItemOut(**row, packs=[PackOut(**p) for p in packs])


@router.get("/items", response_model=Page[ItemOut])
def list_items(conn: Db, who: Who, q: Text = "", limit: Limit = 100, cursor: Cursor = None) -> Page[ItemOut]:
    after = decode_cursor(cursor, 1)
    rows = _many(
        conn,
        f"select * from item i where i.sku > %(after)s and {ITEM_MATCHES} order by i.sku limit %(limit)s",
        {"after": after[0] if after else "", "like": like(q), "limit": limit + 1},
    )
    packs = _many(
        conn, "select * from item_pack where item_id = any(%s) order by units", [[r["id"] for r in rows]]
    )
    by_item: dict[UUID, list[PackOut]] = {}
    for p in packs:
        by_item.setdefault(p["item_id"], []).append(PackOut(**p))
    return page_of(rows, limit, lambda r: [r["sku"]], lambda r: ItemOut(**r, packs=by_item.get(r["id"], [])))


@router.post("/items", response_model=ItemOut, status_code=201, dependencies=[allow("lead", "integrator")])
def create_item(body: NewItem, conn: Db) -> ItemOut:

    item_id = new_id()
    if body.has_expiry and body.tracking != "lot":
        raise Invalid("An expiry date belongs to a lot; choose tracking by lot.", field="tracking")
    conn.execute(
        """insert into item (id, sku, name, name_i18n, base_unit, quantity_decimals, tracking, has_expiry, storage_class, weight_g,
                             volume_ml, active)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [item_id, body.sku, body.name, Jsonb(body.name_i18n), body.base_unit, body.quantity_decimals, body.tracking,
         body.has_expiry, body.storage_class, body.weight_g, body.volume_ml, body.active],
    )  # fmt: skip
    _insert_pack(
        conn, item_id, NewPack(name=body.base_unit, units=Decimal(1), gtin=body.gtin, weight_g=body.weight_g)
    )
    for pack in body.packs:
        _insert_pack(conn, item_id, pack)
    return _item(conn, item_id)


def _insert_pack(conn: Db, item_id: UUID, pack: NewPack) -> None:
    conn.execute(
        "insert into item_pack (id, item_id, name, units, gtin, weight_g) values (%s, %s, %s, %s, %s, %s)",
        [new_id(), item_id, pack.name, pack.units, pack.gtin, pack.weight_g],
    )


@router.get("/items/{item_id}", response_model=ItemOut)
def get_item(item_id: UUID, conn: Db, who: Who) -> ItemOut:
    return _item(conn, item_id)


@router.patch("/items/{item_id}", response_model=ItemOut, dependencies=[allow("lead", "integrator")])
def change_item(item_id: UUID, body: ItemChange, conn: Db) -> ItemOut:

    present = _one(conn, "select * from item where id = %s", [item_id], "item")
    changes = body.model_dump(exclude_unset=True, exclude={"version"})
    changes = {k: Jsonb(v) if k == "name_i18n" else v for k, v in changes.items() if v is not None}
    _update(conn, "item", item_id, body.version, changes, present)
    return _item(conn, item_id)


@router.get("/items/{item_id}/packs", response_model=Page[PackOut])
def list_packs(item_id: UUID, conn: Db, who: Who) -> Page[PackOut]:
    return Page(items=_item(conn, item_id).packs)


@router.post(
    "/items/{item_id}/packs",
    response_model=PackOut,
    status_code=201,
    dependencies=[allow("lead", "integrator")],
)
def create_pack(item_id: UUID, body: NewPack, conn: Db) -> PackOut:
    _one(conn, "select id from item where id = %s", [item_id], "item")
    _insert_pack(conn, item_id, body)
    return PackOut(
        **_one(conn, "select * from item_pack where item_id = %s and name = %s", [item_id, body.name], "pack")
    )


# --- partners and prices ----------------------------------------------------------------------------------


class PartnerOut(Row):
    id: UUID
    code: str
    name: str
    is_supplier: bool
    is_customer: bool
    gln: str | None
    email: str | None
    address: str | None
    version: int


class NewPartner(BaseModel):
    code: Code
    name: Name
    is_supplier: bool = False
    is_customer: bool = False
    gln: Annotated[str, Field(pattern=r"^[0-9]{13}$")] | None = None
    email: Annotated[str, Field(max_length=200)] | None = None
    address: Annotated[str, Field(max_length=500)] | None = None


@router.get("/partners", response_model=Page[PartnerOut])
def list_partners(
    conn: Db,
    who: Who,
    q: Text = "",
    role: Literal["supplier", "customer"] | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[PartnerOut]:
    after = decode_cursor(cursor, 1)
    rows = _many(
        conn,
        """select * from partner where code > %s and (code ilike %s or name ilike %s)
           and (%s::text is null or (%s = 'supplier' and is_supplier) or (%s = 'customer' and is_customer)) order by code limit %s""",
        [after[0] if after else "", like(q), like(q), role, role, role, limit + 1],
    )
    return page_of(rows, limit, lambda r: [r["code"]], lambda r: PartnerOut(**r))


@router.post(
    "/partners", response_model=PartnerOut, status_code=201, dependencies=[allow("lead", "integrator")]
)
def create_partner(body: NewPartner, conn: Db) -> PartnerOut:
    partner_id = new_id()
    conn.execute(
        "insert into partner (id, code, name, is_supplier, is_customer, gln, email, address) values (%s, %s, %s, %s, %s, %s, %s, %s)",
        [
            partner_id,
            body.code,
            body.name,
            body.is_supplier,
            body.is_customer,
            body.gln,
            body.email,
            body.address,
        ],
    )
    return PartnerOut(**_one(conn, "select * from partner where id = %s", [partner_id], "partner"))


class SupplierItem(Row):
    supplier_id: UUID
    item_id: UUID
    supplier_sku: Annotated[str, Field(max_length=100)] | None = None
    unit_price: Annotated[Quantity, Field(ge=0, lt=10**11)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    lead_time_d: Annotated[int, Field(ge=0, le=730)] = 7
    min_order_qty: Annotated[Quantity, Field(gt=0, lt=10**11)] = Decimal(1)
    pack_multiple: Annotated[Quantity, Field(gt=0, lt=10**11)] = Decimal(1)
    preferred: bool = False


@router.get("/supplier-items", response_model=Page[SupplierItem])
def list_supplier_items(
    conn: Db,
    who: Who,
    item_id: UUID | None = None,
    supplier_id: UUID | None = None,
    limit: Limit = 200,
    cursor: Cursor = None,
) -> Page[SupplierItem]:
    after = decode_cursor(cursor, 2)
    rows = _many(
        conn,
        """select * from supplier_item where (%s::text is null or (item_id::text, supplier_id::text) > (%s, %s))
           and (%s::uuid is null or item_id = %s) and (%s::uuid is null or supplier_id = %s)
           order by item_id::text, supplier_id::text limit %s""",
        [
            *([after[0], *after] if after else [None, None, None]),
            item_id,
            item_id,
            supplier_id,
            supplier_id,
            limit + 1,
        ],
    )
    return page_of(rows, limit, lambda r: [r["item_id"], r["supplier_id"]], lambda r: SupplierItem(**r))


@router.put("/supplier-items", response_model=SupplierItem, dependencies=[allow("lead", "integrator")])
def put_supplier_item(body: SupplierItem, conn: Db) -> SupplierItem:
    supplier = _one(conn, "select is_supplier from partner where id = %s", [body.supplier_id], "supplier")
    if not supplier["is_supplier"]:
        raise Invalid("This partner is no supplier.", field="supplier_id")
    _one(conn, "select id from item where id = %s", [body.item_id], "item")
    row = _one(
        conn,
        """insert into supplier_item (supplier_id, item_id, supplier_sku, unit_price, currency, lead_time_d, min_order_qty, pack_multiple, preferred)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
           on conflict (supplier_id, item_id) do update set supplier_sku = excluded.supplier_sku, unit_price = excluded.unit_price,
               currency = excluded.currency, lead_time_d = excluded.lead_time_d, min_order_qty = excluded.min_order_qty,
               pack_multiple = excluded.pack_multiple, preferred = excluded.preferred
           returning *""",
        [body.supplier_id, body.item_id, body.supplier_sku, body.unit_price, body.currency, body.lead_time_d, body.min_order_qty,
         body.pack_multiple, body.preferred],
        "price",
    )  # fmt: skip
    return SupplierItem(**row)


# --- lots, outside keys -----------------------------------------------------------------------------------


class LotOut(Row):
    id: UUID
    item_id: UUID
    code: str
    expires_on: date | None
    created_at: datetime


@router.get("/lots", response_model=Page[LotOut])
def list_lots(
    conn: Db, who: Who, item_id: UUID | None = None, q: Text = "", limit: Limit = 100, cursor: Cursor = None
) -> Page[LotOut]:
    after = uuid_cursor(cursor)
    rows = _many(
        conn,
        "select * from lot where (%s::uuid is null or id < %s) and (%s::uuid is null or item_id = %s) and code ilike %s order by id desc limit %s",
        [after, after, item_id, item_id, like(q), limit + 1],
    )
    return page_of(rows, limit, lambda r: [r["id"]], lambda r: LotOut(**r))


System = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_:.\-]{0,62}$", description="erp, crm, supplier:CODE")]
KeyKind = Literal["item", "partner", "place", "site"]
OUR_CODE: dict[KeyKind, str] = {"item": "sku", "partner": "code", "place": "code", "site": "code"}


class ExternalKey(Row):
    system: System
    kind: KeyKind
    our_id: UUID
    our_code: str = Field(description="SKU of an item, code of the others")
    our_name: str
    their_key: str


class NewExternalKey(BaseModel):
    """Our thing by its id, or by its SKU or code."""

    system: System
    kind: KeyKind
    our_id: UUID | None = None
    our_code: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")] | None = None
    their_key: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]


_EXTERNAL_KEY = """
    select * from (
        select k.system, k.kind, k.our_id, k.their_key, coalesce(i.sku, r.code, p.code, s.code, '') as our_code,
               coalesce(i.name, r.name, p.name, s.name, '') as our_name, coalesce(p.site_id, s.id) as site_id
        from external_key k left join item i on k.kind = 'item' and i.id = k.our_id
             left join partner r on k.kind = 'partner' and r.id = k.our_id
             left join place p on k.kind = 'place' and p.id = k.our_id
             left join site s on k.kind = 'site' and s.id = k.our_id
        where k.kind in ('item', 'partner', 'place', 'site')) x
    where (%s::uuid is null or kind in ('item', 'partner') or site_id = %s)"""
"""Who works at one site sees the keys of its places, not of others'."""


@router.get("/external-keys", response_model=Page[ExternalKey], dependencies=[allow("lead", "integrator")])
def list_external_keys(
    conn: Db,
    who: Who,
    system: Annotated[str | None, Query(max_length=63)] = None,
    kind: KeyKind | None = None,
    our_id: UUID | None = None,
    limit: Limit = 200,
    cursor: Cursor = None,
) -> Page[ExternalKey]:
    after = decode_cursor(cursor, 3)
    rows = _many(
        conn,
        f"""{_EXTERNAL_KEY} and (%s::text is null or (system, kind, their_key) > (%s, %s, %s))
           and (%s::text is null or system = %s) and (%s::text is null or kind = %s) and (%s::uuid is null or our_id = %s)
           order by system, kind, their_key limit %s""",
        [
            *[who.site_id] * 2,
            *([after[0], *after] if after else [None] * 4),
            system,
            system,
            kind,
            kind,
            our_id,
            our_id,
            limit + 1,
        ],
    )
    return page_of(
        rows, limit, lambda r: [r["system"], r["kind"], r["their_key"]], lambda r: ExternalKey(**r)
    )


@router.put("/external-keys", response_model=ExternalKey, dependencies=[allow("integrator")])
def put_external_key(body: NewExternalKey, who: Who, conn: Db, site_id: SiteId = None) -> ExternalKey:
    our_id = _keyed_thing(conn, body, who.site_id, site_id)
    conn.execute(
        """insert into external_key (system, kind, our_id, their_key) values (%s, %s, %s, %s)
           on conflict (system, kind, our_id) do update set their_key = excluded.their_key""",
        [body.system, body.kind, our_id, body.their_key],
    )
    row = _one(
        conn,
        f"{_EXTERNAL_KEY} and system = %s and kind = %s and our_id = %s",
        [None, None, body.system, body.kind, our_id],
        "key",
    )
    return ExternalKey(**row)


def _keyed_thing(conn: Db, body: NewExternalKey, only_site: UUID | None, site_id: UUID | None) -> UUID:
    """`only_site`: where the person works; `site_id`: which place of that code is meant. Raises Invalid, NotFound."""
    if (body.our_id is None) == (body.our_code is None):
        raise Invalid("Say which of ours: our_id, or its SKU or code in our_code.", field="our_code")
    column = "id" if body.our_id is not None else OUR_CODE[body.kind]
    at_site = {"place": "site_id", "site": "id"}.get(body.kind)
    site = only_site or (site_id if body.kind == "place" and body.our_code is not None else None)
    theirs = f" and (%s::uuid is null or {at_site} = %s)" if at_site else ""
    rows = _many(
        conn,
        f"select id from {body.kind} where {column} = %s{theirs} limit 2",
        [body.our_id or body.our_code, *([site] * 2 if at_site else [])],
    )
    if not rows:
        if body.our_id is not None:
            raise NotFound(f"There is no such {body.kind}.")
        raise Unknown(f"There is no {body.kind} {body.our_code} here.", field="our_code")
    if len(rows) > 1:
        raise Invalid("Several sites have a place with this code; say which site.", field="site_id")
    return UUID(str(rows[0]["id"]))


# --- look-up and search -----------------------------------------------------------------------------------


class LookedUp(Row):
    kind: Kind
    id: UUID
    code: str
    label: str
    item_id: UUID | None
    sku: str | None
    pack_name: str | None
    units: Quantity
    lot_code: str | None
    lot_id: UUID | None
    expires_on: date | None
    serial: str | None
    epc: str | None
    license_plate_id: UUID | None
    place_id: UUID | None
    place_kind: str | None


@router.get("/lookup", response_model=LookedUp)
def look_up_code(conn: Db, site: Site, code: Annotated[str, Query(min_length=1, max_length=500)]) -> LookedUp:
    """What any scanned code means here."""
    return LookedUp(**asdict(resolve_code(conn, site, code)))


class Hit(BaseModel):
    kind: str
    id: str
    title: str
    detail: str


_SEARCHES = [
    ("item", "select id::text, sku, name from item where sku ilike %(q)s or name ilike %(q)s or name_i18n::text ilike %(q)s or id in (select item_id from item_pack where gtin like %(q)s) order by sku limit 8"),
    ("place", "select id::text, code, kind from place where site_id = %(site)s and is_physical and (code ilike %(q)s or name ilike %(q)s) order by code limit 8"),
    ("license_plate", "select code, code, kind from license_plate where site_id = %(site)s and code ilike %(q)s order by created_at desc limit 8"),
    ("tag", "select t.epc, t.epc, coalesce(i.name, '') from tag t left join item i on i.id = t.item_id left join license_plate lp on lp.id = t.license_plate_id where (t.epc like upper(%(q)s) or t.serial ilike %(q)s) and (lp.id is null or lp.site_id = %(site)s) order by t.commissioned_at desc limit 8"),
    ("lot", "select l.id::text, l.code, i.name from lot l join item i on i.id = l.item_id where l.code ilike %(q)s order by l.created_at desc limit 8"),
    ("partner", "select id::text, code, name from partner where code ilike %(q)s or name ilike %(q)s order by code limit 8"),
]  # fmt: skip

DOCUMENTS = {
    "sales_order": orders.search,
    "asn": receiving.search,
    "vehicle": dispatch_search.search_vehicles,
    "delivery_route": dispatch_search.search_routes,
    "delivery_job": dispatch_search.search_jobs,
}
"""kind -> function `(conn, site_id, like) -> [(id, number, state)]` of the slice that owns the documents."""


@router.get("/search", response_model=Page[Hit])
def search_everything(
    conn: Db, site: Site, q: Annotated[str, Query(min_length=1, max_length=100)]
) -> Page[Hit]:
    """Items, places, license plates, tags, lots, partners, orders, delivery notices, vehicles, routes and deliveries whose name or code holds `q`."""
    hits = []
    for kind, query in _SEARCHES:
        for row in conn.execute(query.encode(), {"q": like(q.strip()), "site": site}).fetchall():
            hits.append(Hit(kind=kind, id=row[0], title=row[1], detail=row[2]))
    for kind, search in DOCUMENTS.items():
        for document_id, number, state in search(conn, site, like(q.strip())):
            hits.append(Hit(kind=kind, id=str(document_id), title=number, detail=state))
    return Page(items=hits)
