"""Delivery notices: what a supplier says is coming, in total, by license plate and by tag.

Lines may be left out where plates and tags say it all. What a notice says is checked against itself before it is
kept, so that a receipt never has to guess which part was wrong.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from backend.catalog import lot_of
from backend.catalog.tags import KnownTag, identify, read_epc
from backend.catalog.tags.commission import TagInUse, describe
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, Invalid, NotFound, Unknown
from backend.ids import new_id
from backend.live.announce import announce
from device_drivers.gs1 import is_valid_sscc

ZERO = Decimal(0)


@dataclass(frozen=True)
class AsnLine:
    item_id: UUID
    quantity: Decimal
    lot_code: str | None = None
    expires_on: date | None = None


@dataclass(frozen=True)
class AsnContent:
    item_id: UUID
    quantity: Decimal
    lot_code: str | None = None
    expires_on: date | None = None
    serial: str | None = None


@dataclass(frozen=True)
class AsnPlate:
    """`code` is an SSCC (or the supplier's own); `inside` the code of the plate it stands on."""

    code: str
    kind: str = "pallet"
    inside: str | None = None
    contents: tuple[AsnContent, ...] = ()


@dataclass(frozen=True)
class AsnTag:
    """A tag on a single pack. What the EPC does not say of itself (item, lot) is said here."""

    epc: str
    plate: str | None = None
    item_id: UUID | None = None
    lot_code: str | None = None
    expires_on: date | None = None
    serial: str | None = None


@dataclass(frozen=True)
class NewAsn:
    number: str
    supplier_id: UUID | None = None
    lines: tuple[AsnLine, ...] = ()
    """In total, what stands on plates included."""
    plates: tuple[AsnPlate, ...] = ()
    tags: tuple[AsnTag, ...] = ()
    loose: tuple[AsnLine, ...] = ()
    """Beside plates and tags; for a notice that gives no totals."""
    dock_door_id: UUID | None = None
    expected_at: datetime | None = None
    source: str = "api"
    source_ref: str | None = None


@dataclass(frozen=True)
class _Item:
    sku: str
    tracking: str
    decimals: int


@dataclass(frozen=True)
class _Content:
    plate: str | None
    item_id: UUID
    lot_id: UUID | None
    serial: str | None


def find_by_number(conn: Conn, site_id: UUID, number: str) -> UUID | None:
    row = conn.execute(
        "select id from asn where site_id = %s and upper(number) = upper(%s)", [site_id, number]
    ).fetchone()
    return None if row is None else UUID(str(row[0]))


def search(conn: Conn, site_id: UUID, like: str) -> list[tuple[UUID, str, str]]:
    """The newest delivery notices whose number holds it: (id, number, state)."""
    return conn.execute(
        "select id, number, state from asn where site_id = %s and number ilike %s order by created_at desc limit 8",
        [site_id, like],
    ).fetchall()


def expect(conn: Conn, ctx: Context, new: NewAsn, *, replace: bool = False) -> UUID:
    """Keeps a delivery notice; with `replace` a notice of this number that nothing came of yet is overwritten.

    Raises Conflict (number in use, SSCC or tag expected elsewhere), Invalid, Unknown; then nothing is kept."""
    number = new.number.strip()
    if not number or len(number) > 100:
        raise Invalid("The number has 1 to 100 characters.", field="number")
    if not (new.lines or new.plates or new.tags or new.loose):
        raise Invalid("The notice is empty; it needs lines, license plates or tags.", field="lines")
    _check_partners(conn, ctx, new)
    asn_id = _make_asn(conn, ctx, new, number, replace)
    items = _items(conn, new)
    known = identify(conn, ctx.site_id, [read_epc(t.epc) for t in new.tags])

    plates = _make_plates(conn, ctx, asn_id, new)
    contents, tags = _contents(conn, new, items, known, plates)
    lines = _lines(conn, new, items, contents)

    with conn.cursor() as cur:
        cur.executemany(
            "insert into asn_line (site_id, id, asn_id, line_no, item_id, lot_id, quantity) values (%s, %s, %s, %s, %s, %s, %s)",
            [
                [ctx.site_id, new_id(), asn_id, n, item_id, lot_id, quantity]
                for n, ((item_id, lot_id), quantity) in enumerate(lines.items(), 1)
            ],
        )
        cur.executemany(
            """insert into asn_content (site_id, id, asn_id, license_plate_id, item_id, lot_id, serial, quantity)
               values (%s, %s, %s, %s, %s, %s, %s, %s)""",
            [
                [ctx.site_id, new_id(), asn_id, plates[c.plate], c.item_id, c.lot_id, c.serial, quantity]
                for c, quantity in contents.items()
                if c.plate is not None
            ],
        )
    _keep_tags(conn, ctx, asn_id, tags, plates)
    announce(conn, ctx.site_id, "receipts", asn_id)
    return asn_id


@dataclass(frozen=True)
class Expected:
    """What a notice still brings of an item."""

    on: date
    quantity: Decimal
    document: str


def expected(conn: Conn, site_id: UUID, item_id: UUID) -> list[Expected]:
    """What is on its way by delivery notices, the soonest first. Without a time it is due today."""
    rows = conn.execute(
        """select coalesce(expected_at, now())::date, rest, number from (
               select a.expected_at, a.number, sum(l.quantity - coalesce((
                   select sum(e.quantity) from receipt_line r join receipt_entry e on e.receipt_line_id = r.id
                   where r.asn_line_id = l.id and e.reversed_at is null), 0)) as rest
               from asn a join asn_line l on l.asn_id = a.id
               where a.site_id = %s and a.state in ('expected', 'arriving') and l.item_id = %s
               group by a.id) due
           where rest > 0 order by 1, number""",
        [site_id, item_id],
    ).fetchall()
    return [Expected(*row) for row in rows]


def cancel_asn(conn: Conn, ctx: Context, asn_id: UUID) -> None:
    """Nothing may have come of it yet. Raises NotFound, Conflict."""
    row = conn.execute(
        "select number, state from asn where site_id = %s and id = %s for update", [ctx.site_id, asn_id]
    ).fetchone()
    if row is None:
        raise NotFound("There is no such delivery notice at this site.")
    if row[1] != "expected":
        raise Conflict(f"{row[0]} is {row[1]}; only a notice that nothing came of can be cancelled.")
    _forget_contents(conn, asn_id)
    conn.execute("update asn set state = 'cancelled' where id = %s", [asn_id])
    announce(conn, ctx.site_id, "receipts", asn_id)


# --- inside -----------------------------------------------------------------------------------------------


def _check_partners(conn: Conn, ctx: Context, new: NewAsn) -> None:
    if new.supplier_id is not None:
        row = conn.execute(
            "select code, is_supplier from partner where id = %s", [new.supplier_id]
        ).fetchone()
        if row is None:
            raise Unknown("There is no such supplier.", field="supplier_id")
        if not row[1]:
            raise Invalid(f"{row[0]} is no supplier.", field="supplier_id")
    if new.dock_door_id is not None:
        row = conn.execute(
            "select kind from place where id = %s and site_id = %s", [new.dock_door_id, ctx.site_id]
        ).fetchone()
        if row is None or row[0] != "dock_door":
            raise Unknown("There is no such dock door at this site.", field="dock_door_id")


def _make_asn(conn: Conn, ctx: Context, new: NewAsn, number: str, replace: bool) -> UUID:
    asn_id = new_id()
    made = conn.execute(
        """insert into asn (id, site_id, number, supplier_id, dock_door_id, expected_at, source, source_ref, created_by)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict on constraint asn_number_unique do nothing returning id""",
        [asn_id, ctx.site_id, number, new.supplier_id, new.dock_door_id, new.expected_at, new.source, new.source_ref, ctx.actor],
    ).fetchone()  # fmt: skip
    if made is not None:
        return asn_id
    row = conn.execute(
        "select id, state from asn where site_id = %s and number = %s for update", [ctx.site_id, number]
    ).fetchone()
    assert row is not None
    if not replace:
        raise Conflict(
            f"The site has a delivery notice {number} already.", field="number", asn_id=str(row[0])
        )
    if row[1] not in ("expected", "cancelled"):
        raise Conflict(f"{number} is {row[1]} already; it is not overwritten.", field="number")
    asn_id = UUID(str(row[0]))
    _forget_contents(conn, asn_id)
    conn.execute(
        """update asn set supplier_id = %s, dock_door_id = %s, expected_at = %s, source = %s, source_ref = %s, state = 'expected'
           where id = %s""",
        [new.supplier_id, new.dock_door_id, new.expected_at, new.source, new.source_ref, asn_id],
    )
    return asn_id


def _forget_contents(conn: Conn, asn_id: UUID) -> None:
    for table in ("asn_tag", "asn_content", "asn_line", "asn_plate"):
        conn.execute(f"delete from {table} where asn_id = %s".encode(), [asn_id])


def _items(conn: Conn, new: NewAsn) -> dict[UUID, _Item]:
    wanted = {line.item_id for line in (*new.lines, *new.loose)}
    wanted |= {c.item_id for p in new.plates for c in p.contents}
    wanted |= {t.item_id for t in new.tags if t.item_id is not None}
    rows = conn.execute(
        "select id, sku, tracking, quantity_decimals from item where id = any(%s)", [list(wanted)]
    ).fetchall()
    found = {r[0]: _Item(*r[1:]) for r in rows}
    for item_id in wanted:
        if item_id not in found:
            raise Unknown(f"There is no item {item_id}.", field="item_id")
    return found


def _make_plates(conn: Conn, ctx: Context, asn_id: UUID, new: NewAsn) -> dict[str | None, UUID]:
    plates: dict[str | None, UUID] = {}
    for p in new.plates:
        if p.code in plates:
            raise Invalid(f"The license plate {p.code} is named twice.", field="plates")
        if len(p.code) == 18 and p.code.isdigit() and not is_valid_sscc(p.code):
            raise Invalid(f"The check digit of SSCC {p.code} is wrong.", field="plates")
        row = conn.execute(
            """insert into license_plate (id, site_id, code, kind, state) values (%s, %s, %s, %s, 'expected')
               on conflict on constraint license_plate_code_unique do update set kind = excluded.kind
               where license_plate.state = 'expected'
                 and not exists (select 1 from asn_plate a where a.license_plate_id = license_plate.id)
               returning id""",
            [new_id(), ctx.site_id, p.code, p.kind],
        ).fetchone()
        if row is None:
            other = conn.execute(
                """select coalesce('delivery notice ' || a.number, 'the stock here') from license_plate lp
                   left join asn_plate ap on ap.license_plate_id = lp.id left join asn a on a.id = ap.asn_id
                   where lp.site_id = %s and lp.code = %s""",
                [ctx.site_id, p.code],
            ).fetchone()
            raise Conflict(
                f"SSCC {p.code} belongs to {other[0] if other else 'something else'}.", field="plates"
            )
        plates[p.code] = row[0]
    for p in new.plates:
        if p.inside is not None and (p.inside not in plates or p.inside == p.code):
            raise Invalid(f"{p.code} stands inside {p.inside}, which is not in the notice.", field="plates")
    _check_no_loop({p.code: p.inside for p in new.plates})
    with conn.cursor() as cur:
        cur.executemany(
            "update license_plate set parent_id = %s where id = %s",
            [[plates[p.inside] if p.inside else None, plates[p.code]] for p in new.plates],
        )
        cur.executemany(
            "insert into asn_plate (license_plate_id, site_id, asn_id) values (%s, %s, %s)",
            [[plate_id, ctx.site_id, asn_id] for plate_id in plates.values()],
        )
    return plates


def _check_no_loop(inside: dict[str, str | None]) -> None:
    for start in inside:
        seen, at = {start}, inside[start]
        while at is not None:
            if at in seen:
                raise Invalid(f"{start} stands inside itself.", field="plates")
            seen.add(at)
            at = inside[at]


def _check_quantity(item: _Item, quantity: Decimal, field: str) -> None:
    if not quantity.is_finite() or quantity <= 0 or quantity >= Decimal(10) ** 12:
        raise Invalid(f"The quantity of {item.sku} must be above zero, not {quantity}.", field=field)
    if quantity != round(quantity, item.decimals):
        raise Invalid(f"{item.sku} is not counted as finely as {quantity}.", field=field)


_TagKept = tuple[str, KnownTag, UUID, UUID | None, str | None, str | None]
"""epc, what was known of it, item, lot, serial, plate code."""


def _contents(
    conn: Conn,
    new: NewAsn,
    items: dict[UUID, _Item],
    known: dict[str, KnownTag],
    plates: dict[str | None, UUID],
) -> tuple[dict[_Content, Decimal], list[_TagKept]]:
    """What lies on each plate (None: loose), from the contents and the tags together; and the tags to keep."""
    listed: dict[_Content, Decimal] = defaultdict(lambda: ZERO)
    for p in new.plates:
        for c in p.contents:
            item = items[c.item_id]
            _check_quantity(item, c.quantity, "plates")
            if item.tracking == "lot" and not c.lot_code:
                raise Invalid(f"{item.sku} is kept by lot; say which lot stands on {p.code}.", field="plates")
            if c.serial is not None and c.quantity != 1:
                raise Invalid(f"Serial {c.serial} of {item.sku} is one piece.", field="plates")
            lot_id = lot_of(conn, c.item_id, c.lot_code, c.expires_on) if c.lot_code else None
            serial = c.serial if item.tracking == "serial" else None
            key = _Content(p.code, c.item_id, lot_id, serial)
            if serial is not None and key in listed:
                raise Invalid(f"Serial {serial} of {item.sku} is named twice.", field="plates")
            listed[key] += c.quantity

    by_tags: dict[_Content, Decimal] = defaultdict(lambda: ZERO)
    tags: list[_TagKept] = []
    seen: set[str] = set()
    for t in new.tags:
        epc = read_epc(t.epc)
        k = known[epc]
        if epc in seen:
            raise Invalid(f"The tag {epc} is named twice.", field="tags")
        seen.add(epc)
        if t.plate is not None and t.plate not in plates:
            raise Invalid(f"The tag {epc} is on {t.plate}, which is not in the notice.", field="tags")
        if k.kind == "plate":
            if k.license_plate_id not in plates.values():
                raise Invalid(f"{epc} is the tag of another license plate.", field="tags")
            continue
        item_id = t.item_id or k.item_id
        if item_id is None:
            raise Invalid(f"{epc}: {k.reason or 'unknown tag'} Say the item with it.", field="tags")
        if t.item_id is not None and k.item_id is not None and t.item_id != k.item_id:
            raise Invalid(f"The tag {epc} says {k.sku}, the notice {items[t.item_id].sku}.", field="tags")
        lot_id = lot_of(conn, item_id, t.lot_code, t.expires_on) if t.lot_code else k.lot_id
        if lot_id is None:
            on_plate = {c.lot_id for c in listed if c.plate == t.plate and c.item_id == item_id}
            lot_id = next(iter(on_plate)) if len(on_plate) == 1 else None
        tracking = items[item_id].tracking if item_id in items else k.tracking
        serial = (t.serial or k.tag_serial) if tracking == "serial" else None
        if tracking == "serial" and serial is None:
            raise Invalid(f"The tag {epc} needs a serial number.", field="tags")
        tags.append((epc, k, item_id, lot_id, t.serial or k.tag_serial, t.plate))
        by_tags[_Content(t.plate, item_id, lot_id, serial)] += k.units

    contents = dict(listed)
    for key, quantity in by_tags.items():
        plain = _Content(key.plate, key.item_id, key.lot_id, None)
        if key.serial is not None and key not in listed:
            if plain in contents:  # the notice counts them, the tags name them
                contents[plain] -= quantity
                if contents[plain] < 0:
                    raise Invalid(f"More tags than pieces of one item on {key.plate}.", field="tags")
                if contents[plain] == 0:
                    del contents[plain]
            contents[key] = quantity
        elif key.serial is None and key.plate is not None and quantity > listed.get(key, quantity):
            raise Invalid(f"More tags than pieces of one item on {key.plate}.", field="tags")
        elif key not in contents:
            contents[key] = quantity
    return contents, tags


def _lines(
    conn: Conn, new: NewAsn, items: dict[UUID, _Item], contents: dict[_Content, Decimal]
) -> dict[tuple[UUID, UUID | None], Decimal]:
    named: dict[tuple[UUID, UUID | None], Decimal] = defaultdict(lambda: ZERO)
    for c, quantity in contents.items():
        named[(c.item_id, c.lot_id)] += quantity
    for line in new.loose:
        _check_quantity(items[line.item_id], line.quantity, "lines")
        lot_id = lot_of(conn, line.item_id, line.lot_code, line.expires_on) if line.lot_code else None
        named[(line.item_id, lot_id)] += line.quantity
    if not new.lines:
        return named
    lines: dict[tuple[UUID, UUID | None], Decimal] = defaultdict(lambda: ZERO)
    for line in new.lines:
        _check_quantity(items[line.item_id], line.quantity, "lines")
        lot_id = lot_of(conn, line.item_id, line.lot_code, line.expires_on) if line.lot_code else None
        lines[(line.item_id, lot_id)] += line.quantity
    for item_id in {item_id for item_id, _ in named}:
        total = sum((q for (i, _), q in lines.items() if i == item_id), ZERO)
        on_plates = sum((q for (i, _), q in named.items() if i == item_id), ZERO)
        if on_plates > total:
            sku = items[item_id].sku if item_id in items else str(item_id)
            raise Invalid(
                f"License plates and tags name {on_plates.normalize():f} of {sku}, the lines only {total.normalize():f}.",
                field="lines",
            )
    return lines


def _keep_tags(
    conn: Conn, ctx: Context, asn_id: UUID, tags: list[_TagKept], plates: dict[str | None, UUID]
) -> None:
    new_tags, links = [], []
    for epc, k, item_id, lot_id, serial, plate in tags:
        tag_id = k.tag_id
        if tag_id is None:
            tag_id = new_id()
            new_tags.append([tag_id, epc, item_id, k.pack_id, lot_id, serial, ctx.actor])
        else:
            free = (
                k.origin == "expected"
                and conn.execute(
                    "select 1 from tag t where id = %s and not exists (select 1 from asn_tag a where a.tag_id = t.id)",
                    [tag_id],
                ).fetchone()
            )
            if not free:
                raise TagInUse(
                    f"{epc} already stands for {describe(conn, epc)}, here or in another notice.",
                    field="tags",
                )
        links.append([tag_id, ctx.site_id, asn_id, plates[plate] if plate else None])
    with conn.cursor() as cur:
        cur.executemany(
            """insert into tag (id, epc, item_id, pack_id, lot_id, serial, commissioned_by, origin)
               values (%s, %s, %s, %s, %s, %s, %s, 'expected')""",
            new_tags,
        )
        cur.executemany(
            "insert into asn_tag (tag_id, site_id, asn_id, license_plate_id) values (%s, %s, %s, %s)", links
        )
    conn.execute(
        """update unknown_tag set state = 'claimed', settled_at = %s, settled_by = %s
           where site_id = %s and epc = any(%s) and state = 'open'""",
        [ctx.now, ctx.actor, ctx.site_id, [t[0] for t in tags]],
    )
