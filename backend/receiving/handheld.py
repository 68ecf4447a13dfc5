"""A person's scans into a receipt: item +1, case by its pack, SSCC with all its contents, a single tag once.

"The same unit read again" and "a second unit, on purpose" differ: what has a serial or an SSCC is refused twice,
countable items are not. Lot and expiry come out of the code; else they are asked once. More than expected, or
something nobody expected, asks for a reason once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from backend.catalog import UnknownCode, lot_of, resolve_code
from backend.catalog.codes import Resolved
from backend.catalog.tags import NewPlate, create_plate, identify
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, Invalid, Unknown
from backend.putaway.tasks import ensure_plate_tasks
from backend.receiving.plates import contents_due, counted_serial, plates_and_inside
from backend.receiving.receipt import Receipt, Take, book, entries_where, lock_receipt, unit_key
from device_drivers.gs1 import InvalidIdentifier, parse_scan

ZERO = Decimal(0)


class AlreadyCounted(Conflict):
    """A serial, an SSCC or a tag a second time."""

    kind, title = "already-counted", "This was counted already"


class NotExpected(Conflict):
    """Another thing, or more, than the delivery notice says. With a reason it is taken all the same."""

    kind, title = "not-expected", "The delivery notice does not expect this"


class Ask(Invalid):
    """Something the code does not say; `ask` lists the fields."""

    kind, title = "more-needed", "Something more is needed"


@dataclass(frozen=True)
class NewScan:
    """`quantity` counts what was scanned (cases for a case code). `onto`: the license plate it is put on."""

    code: str
    quantity: Decimal | None = None
    lot: str | None = None
    expires_on: date | None = None
    serial: str | None = None
    status: str = "available"
    reason: str | None = None
    onto: str | None = None


@dataclass(frozen=True)
class Scanned:
    """`outcome`: counted, plate_counted, plate_opened. `units`: base units counted by this scan."""

    outcome: str
    message: str
    units: Decimal
    item_id: UUID | None = None
    lot: str | None = None
    license_plate_id: UUID | None = None
    receipt_line_id: UUID | None = None
    to_scan_singly: int = 0
    """Serial-tracked pieces on the plate whose serials nobody named."""
    entry_ids: tuple[UUID, ...] = ()
    """What was counted, for taking it back."""


def scan(conn: Conn, ctx: Context, receipt_id: UUID, new: NewScan) -> Scanned:
    """Raises NotFound, Conflict, AlreadyCounted, NotExpected, Ask, Invalid, UnknownCode; then nothing is changed."""
    receipt = lock_receipt(conn, ctx.site_id, receipt_id)
    if receipt.state != "open":
        raise Conflict(f"{receipt.number} is closed; open a new receipt.")
    if new.status != "available" and not new.reason:
        raise Ask(f"Goods that are {new.status} need a reason.", field="reason", ask=["reason"])
    if new.quantity is not None and (not new.quantity.is_finite() or new.quantity <= 0):
        raise Invalid("The quantity must be above zero.", field="quantity")
    try:
        found = resolve_code(conn, ctx.site_id, new.code)
    except UnknownCode as e:
        return _unresolved(conn, ctx, receipt, new, e)
    if found.license_plate_id is not None and found.item_id is None:
        return _plate(conn, ctx, receipt, new, found.license_plate_id, found.code)
    if found.item_id is None:
        raise NotExpected(
            f"{new.code} is {found.label} ({found.kind.replace('_', ' ')}). Expected is {_expected_words(conn, receipt)}.",
            field="code",
            seen=new.code,
            expected=_expected(conn, receipt),
        )
    return _item(conn, ctx, receipt, new, found)


def _unresolved(conn: Conn, ctx: Context, receipt: Receipt, new: NewScan, e: UnknownCode) -> Scanned:
    """An SSCC that no notice names opens a plate to fill; a tag whose bits name an item is that item."""
    sscc = _sscc(new.code)
    if sscc is not None:
        plate_id = create_plate(conn, ctx, NewPlate("pallet", sscc, receipt.dock_door_id))
        return Scanned(
            "plate_opened",
            f"{sscc} is not in the delivery notice. Scan what is on it.",
            ZERO,
            license_plate_id=plate_id,
        )
    text = new.code.strip().upper()
    known = identify(conn, ctx.site_id, [text]).get(text) if len(text) >= 16 and _is_hex(text) else None
    if known is not None and known.kind == "unit" and known.item_id is not None:
        found = Resolved("tag", known.item_id, text, known.sku or "", item_id=known.item_id, sku=known.sku,
                         units=known.units, serial=known.tag_serial, epc=text)  # fmt: skip
        return _item(conn, ctx, receipt, new, found)
    if known is not None and known.kind == "plate" and known.license_plate_id is not None:
        return _plate(conn, ctx, receipt, new, known.license_plate_id, text)
    raise UnknownCode(
        f"{e.detail} Expected is {_expected_words(conn, receipt)}.",
        field="code",
        seen=new.code,
        expected=_expected(conn, receipt),
    ) from e


def _is_hex(text: str) -> bool:
    return all(c in "0123456789ABCDEF" for c in text)


def _sscc(code: str) -> str | None:
    try:
        return parse_scan(code).sscc
    except InvalidIdentifier:
        return None


# --- license plates ---------------------------------------------------------------------------------------


def _plate(conn: Conn, ctx: Context, receipt: Receipt, new: NewScan, plate_id: UUID, code: str) -> Scanned:
    if new.quantity not in (None, Decimal(1)):
        raise Invalid("A license plate is received whole; leave the quantity out.", field="quantity")
    plates, trees = plates_and_inside(conn, [plate_id])
    row, tree = plates[plate_id], trees[plate_id]
    if row.asn_id is None:
        if row.has_stock or row.state in ("shipped", "gone"):
            raise AlreadyCounted(
                f"{row.code} is a license plate of the house, not a delivery.", field="code", seen=row.code
            )
        return Scanned(
            "plate_opened", f"{row.code} is empty. Scan what is on it.", ZERO, license_plate_id=plate_id
        )
    if row.asn_id != receipt.asn_id:
        other = conn.execute("select number from asn where id = %s", [row.asn_id]).fetchone()
        raise NotExpected(
            f"{row.code} belongs to the delivery notice {other[0] if other else '?'}, not to {_asn_number(conn, receipt)}.",
            field="code",
            seen=row.code,
            expected=_expected(conn, receipt),
        )
    if row.received_at is not None:
        raise AlreadyCounted(
            f"{row.code} was received already{_when(conn, tree)}.", field="code", seen=row.code
        )
    takes = contents_due(conn, ctx, receipt, tree, status=new.status, reason=new.reason)
    entries = book(conn, ctx, receipt, takes, source="handheld")
    ensure_plate_tasks(conn, ctx, receipt.id, receipt.dock_door_id)
    singly = conn.execute(
        """select count(*) from asn_content c join item i on i.id = c.item_id
           where c.license_plate_id = any(%s) and i.tracking = 'serial' and c.serial is null""",
        [list(tree)],
    ).fetchone()
    units = sum((e.quantity for e in entries), ZERO)
    to_scan = int(singly[0]) if singly else 0
    more = f" {to_scan} kinds on it are kept by serial number: scan those one by one." if to_scan else ""
    return Scanned(
        "plate_counted", f"{row.code}: {units.normalize():f} units.{more}", units, license_plate_id=plate_id,
        to_scan_singly=to_scan, entry_ids=tuple(e.id for e in entries),
    )  # fmt: skip


def _when(conn: Conn, tree: set[UUID]) -> str:
    row = conn.execute(
        """select r.number, e.actor from receipt_entry e join receipt r on r.id = e.receipt_id
           where e.license_plate_id = any(%s) and e.reversed_at is null order by e.recorded_at desc limit 1""",
        [list(tree)],
    ).fetchone()
    return f" in {row[0]} by {str(row[1]).partition(':')[2]}" if row else ""


# --- items ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Item:
    sku: str
    name: str
    tracking: str
    has_expiry: bool
    decimals: int
    base_unit: str


def _item(conn: Conn, ctx: Context, receipt: Receipt, new: NewScan, found: Resolved) -> Scanned:
    assert found.item_id is not None
    row = conn.execute(
        "select sku, name, tracking, has_expiry, quantity_decimals, base_unit from item where id = %s",
        [found.item_id],
    ).fetchone()
    assert row is not None
    item = _Item(*row)
    units = (new.quantity if new.quantity is not None else Decimal(1)) * found.units
    if found.epc is not None and new.quantity not in (None, Decimal(1)):
        raise Invalid("A tag is one unit; leave the quantity out.", field="quantity")
    if units != round(units, item.decimals):
        raise Invalid(
            f"{item.sku} is not counted as finely as {units.normalize():f} {item.base_unit}.",
            field="quantity",
        )
    unit_serial = found.serial or new.serial
    serial = _serial(conn, ctx, item, found.item_id, unit_serial, units)
    _refuse_same_unit(conn, ctx, found, item, unit_key(unit_serial, found.units))
    plate_id = _onto(conn, ctx, new.onto)
    _refuse_unexpected(conn, receipt, new, item, found, units)
    lot_id, lot_code, said = _lot(conn, ctx, receipt, new, item, found)
    take = Take(
        found.item_id,
        units,
        lot_id,
        serial,
        unit_key(unit_serial, found.units),
        plate_id,
        new.status,
        new.reason,
        found.epc,
        lot_said=said,
    )
    entries = book(conn, ctx, receipt, [take], source="handheld")
    if not entries:
        raise AlreadyCounted(f"The tag {found.epc} was counted already.", field="code", seen=new.code)
    if new.reason:
        conn.execute(
            "update receipt_line set over_reason = coalesce(over_reason, %s) where site_id = %s and id = %s and %s",
            [new.reason, ctx.site_id, entries[0].receipt_line_id, new.status == "available"],
        )
    if plate_id is not None:
        ensure_plate_tasks(conn, ctx, receipt.id, receipt.dock_door_id)
    words = f"{item.sku} {item.name}: {units.normalize():f} {item.base_unit}" + (
        f", lot {lot_code}" if lot_code else ""
    )
    return Scanned(
        "counted", words, units, found.item_id, lot_code, plate_id, entries[0].receipt_line_id,
        entry_ids=tuple(e.id for e in entries),
    )  # fmt: skip


def _serial(
    conn: Conn, ctx: Context, item: _Item, item_id: UUID, unit_serial: str | None, units: Decimal
) -> str | None:
    if item.tracking != "serial":
        return None
    if not unit_serial:
        raise Ask(f"{item.sku} is kept by serial number; scan or type it.", field="serial", ask=["serial"])
    if units != 1:
        raise Invalid(f"{item.sku} is kept by serial number: one at a time.", field="quantity")
    if counted_serial(conn, ctx.site_id, item_id, unit_serial):
        raise AlreadyCounted(
            f"{item.sku} serial {unit_serial} is in stock already.", field="serial", seen=unit_serial
        )
    return unit_serial


def _refuse_same_unit(
    conn: Conn, ctx: Context, found: Resolved, item: _Item, unit_serial: str | None
) -> None:
    """A unit that tag or barcode names by a serial counts once, whether its item is kept by serial or not."""
    same = []
    if found.epc is not None:
        same = entries_where(conn, "site_id = %s and epc = %s", [ctx.site_id, found.epc])
    if not same and unit_serial is not None and found.kind != "serial":
        same = entries_where(
            conn,
            "site_id = %s and item_id = %s and unit_serial = %s",
            [ctx.site_id, found.item_id, unit_serial],
        )
    inside = (
        found.epc is not None
        and conn.execute(
            """select lp.code from asn_tag a join tag t on t.id = a.tag_id join asn_plate ap on ap.license_plate_id = a.license_plate_id
           join license_plate lp on lp.id = ap.license_plate_id where t.epc = %s and t.state = 'active' and ap.received_at is not null""",
            [found.epc],
        ).fetchone()
    )
    if same or inside:
        where = f" with {inside[0]}" if inside else ""
        raise AlreadyCounted(
            f"This unit of {item.sku} ({unit_serial or found.epc}) was counted already{where}.",
            field="code",
            seen=found.code,
        )


def _onto(conn: Conn, ctx: Context, onto: str | None) -> UUID | None:
    if not onto:
        return None
    code = _sscc(onto) or onto.strip()
    row = conn.execute(
        "select id, state from license_plate where site_id = %s and code = %s", [ctx.site_id, code]
    ).fetchone()
    if row is None:
        raise Unknown(f"There is no license plate {code} here; scan it first.", field="onto")
    if row[1] in ("shipped", "gone", "closed"):
        raise Conflict(f"The license plate {code} is {row[1]}.", field="onto")
    return UUID(str(row[0]))


def _refuse_unexpected(
    conn: Conn, receipt: Receipt, new: NewScan, item: _Item, found: Resolved, units: Decimal
) -> None:
    if receipt.asn_id is None or new.reason:
        return
    row = conn.execute(
        """select coalesce(sum(l.expected), 0), coalesce(sum((select sum(e.quantity) from receipt_entry e
                      where e.receipt_line_id = l.id and e.reversed_at is null)), 0)
           from receipt_line l where l.receipt_id = %s and l.item_id = %s""",
        [receipt.id, found.item_id],
    ).fetchone()
    expected, counted = (row[0], row[1]) if row else (ZERO, ZERO)
    if expected == 0:
        raise NotExpected(
            f"Scanned was {item.sku} {item.name}. Expected is {_expected_words(conn, receipt)}. Give a reason to take it all the same.",
            field="code",
            seen=item.sku,
            expected=_expected(conn, receipt),
            override_possible=True,
        )
    if counted + units > expected:
        raise NotExpected(
            f"{expected.normalize():f} {item.base_unit} of {item.sku} are expected, this makes {(counted + units).normalize():f}. "
            "Give a reason to take them all the same.",
            field="quantity",
            expected_quantity=format(expected.normalize(), "f"),
            counted=format(counted.normalize(), "f"),
            override_possible=True,
        )


def _lot(
    conn: Conn, ctx: Context, receipt: Receipt, new: NewScan, item: _Item, found: Resolved
) -> tuple[UUID | None, str | None, bool]:
    """(lot, its code, whether a person said it). The code's lot wins; a different one said with it is refused."""
    assert found.item_id is not None
    if item.tracking != "lot":
        return (found.lot_id, found.lot_code, False) if found.lot_id else (None, None, False)
    if found.lot_code and new.lot and found.lot_code != new.lot:
        raise Invalid(f"The code says lot {found.lot_code}, not {new.lot}. Check the label.", field="lot")
    code = found.lot_code or new.lot
    said = not found.lot_code and new.lot is not None
    if code is None:
        code = _lot_said_before(conn, ctx, receipt, found.item_id)
    if code is None:
        ask = ["lot", "expires_on"] if item.has_expiry else ["lot"]
        raise Ask(f"{item.sku} is kept by lot; scan or type it.", field="lot", ask=ask)
    expires_on = _expiry_in_code(new.code) or new.expires_on
    known = conn.execute(
        "select expires_on from lot where item_id = %s and code = %s", [found.item_id, code]
    ).fetchone()
    if item.has_expiry and expires_on is None and (known is None or known[0] is None):
        raise Ask(f"When does lot {code} of {item.sku} expire?", field="expires_on", ask=["expires_on"])
    return lot_of(conn, found.item_id, code, expires_on), code, said


def _lot_said_before(conn: Conn, ctx: Context, receipt: Receipt, item_id: UUID) -> str | None:
    """Asked once: what this person last said for this item in this receipt."""
    row = conn.execute(
        """select l.code from receipt_entry e join lot l on l.id = e.lot_id
           where e.receipt_id = %s and e.item_id = %s and e.actor = %s and e.lot_said and e.reversed_at is null
           order by e.recorded_at desc limit 1""",
        [receipt.id, item_id, ctx.actor],
    ).fetchone()
    return str(row[0]) if row else None


def _expiry_in_code(code: str) -> date | None:
    try:
        parsed = parse_scan(code)
    except InvalidIdentifier:
        return None
    return parsed.expires_on or parsed.best_before_on


# --- words ------------------------------------------------------------------------------------------------


def _asn_number(conn: Conn, receipt: Receipt) -> str:
    row = conn.execute("select number from asn where id = %s", [receipt.asn_id]).fetchone()
    return str(row[0]) if row else f"{receipt.number}, which has no notice"


def _expected(conn: Conn, receipt: Receipt) -> list[dict[str, Any]]:
    """What is still to come, at most ten."""
    rows = conn.execute(
        """select sku, rest from (select i.sku, l.line_no, l.expected - coalesce((select sum(e.quantity) from receipt_entry e
                   where e.receipt_line_id = l.id and e.reversed_at is null), 0) as rest
               from receipt_line l join item i on i.id = l.item_id where l.receipt_id = %s) s
           where rest > 0 order by line_no limit 10""",
        [receipt.id],
    ).fetchall()
    return [{"sku": sku, "quantity": format(rest.normalize(), "f")} for sku, rest in rows]


def _expected_words(conn: Conn, receipt: Receipt) -> str:
    expected = _expected(conn, receipt)
    if not expected:
        return "nothing more" if receipt.asn_id else "an item, a license plate or a tag"
    return ", ".join(f"{e['quantity']} {e['sku']}" for e in expected[:4]) + (
        " ..." if len(expected) > 4 else ""
    )
