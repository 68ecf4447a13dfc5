"""A label: its ZPL is made now, in the transaction of its cause, and printed by a job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

from psycopg.rows import class_row

from backend import jobs, ledger
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, NotFound, Unknown
from backend.ids import new_id
from backend.labels import zpl

Kind = Literal["sscc", "item", "location", "packing_list"]


@dataclass(frozen=True)
class Label:
    id: UUID
    kind: str
    subject_id: UUID
    title: str
    zpl: str
    printer_id: UUID | None
    copies: int
    state: str


@dataclass(frozen=True)
class ItemOf:
    """More than the item itself for an item label."""

    lot: str | None = None
    expires_on: date | None = None
    serial: str | None = None
    gtin: str | None = None


def print_label(
    conn: Conn,
    ctx: Context,
    kind: Kind,
    ref: UUID,
    *,
    printer: str | None = None,
    copies: int = 1,
    item_of: ItemOf | None = None,
) -> UUID:
    """`ref`: license plate (sscc, packing_list), item or place. Returns the label's id. Raises Unknown."""
    title, text = _render(conn, ctx, kind, ref, item_of or ItemOf())
    label_id = new_id()
    printer_id = _printer(conn, ctx.site_id, printer)
    conn.execute(
        """insert into label (id, site_id, kind, subject_id, title, zpl, printer_id, copies, state, created_by)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [label_id, ctx.site_id, kind, ref, title, text.replace("^PQ1\n", f"^PQ{copies}\n"), printer_id, copies,
         "waiting" if printer_id else "no_printer", ctx.actor],
    )  # fmt: skip
    if printer_id is not None:
        jobs.defer(
            conn,
            "labels_print",
            {"site_id": str(ctx.site_id), "label_id": str(label_id)},
            lock=f"printer:{printer_id}",
        )
    return label_id


def print_license_plate(conn: Conn, ctx: Context, license_plate_id: UUID) -> UUID:
    """The SSCC label of a pallet, case, carton or tote."""
    return print_label(conn, ctx, "sscc", license_plate_id)


def reprint(conn: Conn, ctx: Context, label_id: UUID, *, printer: str | None = None) -> None:
    """The same label once more. Raises NotFound, Conflict (no printer)."""
    row = conn.execute(
        "select printer_id from label where site_id = %s and id = %s for update", [ctx.site_id, label_id]
    ).fetchone()
    if row is None:
        raise NotFound("There is no such label at this site.")
    printer_id = _printer(conn, ctx.site_id, printer) if printer or row[0] is None else row[0]
    if printer_id is None:
        raise Conflict("The site has no label printer; an admin adds one, or fetch the label's ZPL.")
    conn.execute(
        "update label set state = 'waiting', problem = null, printer_id = %s where id = %s",
        [printer_id, label_id],
    )
    jobs.defer(
        conn,
        "labels_print",
        {"site_id": str(ctx.site_id), "label_id": str(label_id)},
        lock=f"printer:{printer_id}",
    )


# --- inside -----------------------------------------------------------------------------------------------


def _printer(conn: Conn, site_id: UUID, code: str | None) -> UUID | None:
    row = conn.execute(
        """select id from printer where site_id = %s and active and (code = %s or (%s::text is null))
           order by is_default desc, created_at limit 1""",
        [site_id, code, code],
    ).fetchone()
    if row is None and code is not None:
        raise Unknown(f"There is no printer {code} at this site.", field="printer")
    return None if row is None else UUID(str(row[0]))


def _contents(conn: Conn, site_id: UUID, license_plate_id: UUID) -> tuple[str, list[str]]:
    """The plate's code, and a line for each thing on it. The page that goes into a carton is `packing.packing_list`."""
    plate = conn.execute(
        "select code from license_plate where id = %s and site_id = %s", [license_plate_id, site_id]
    ).fetchone()
    if plate is None:
        raise NotFound("There is no such license plate at this site.")
    rows = ledger.on_plate(conn, site_id, license_plate_id)
    items = {
        r[0]: r[1:]
        for r in conn.execute(
            "select id, sku, name, base_unit from item where id = any(%s)", [[r.item_id for r in rows]]
        ).fetchall()
    }
    lines = []
    for r in rows:
        sku, name, unit = items[r.item_id]
        more = [r.lot_code and f"lot {r.lot_code}", r.serial and f"serial {r.serial}"]
        lines.append(
            "  ".join([f"{f'{r.on_hand.normalize():f} {unit}':>12}", sku, name, *filter(None, more)])
        )
    return str(plate[0]), lines


def _render(conn: Conn, ctx: Context, kind: Kind, ref: UUID, item_of: ItemOf) -> tuple[str, str]:
    if kind == "sscc":
        return _render_plate(conn, ctx, ref)
    if kind == "item":
        return _render_item(conn, ref, item_of)
    if kind == "packing_list":
        code, lines = _contents(conn, ctx.site_id, ref)
        return f"packing list {code}", zpl.packing_list_label(f"Packing list {code}", lines)
    row = conn.execute(
        """select p.code, p.name, coalesce(z.code, '') from place p left join place z on z.id = p.parent_id
           where p.id = %s and p.site_id = %s""",
        [ref, ctx.site_id],
    ).fetchone()
    if row is None:
        raise Unknown("There is no such place at this site.", field="ref")
    return f"location {row[0]}", zpl.location_label(*row)


def _render_plate(conn: Conn, ctx: Context, plate_id: UUID) -> tuple[str, str]:
    row = conn.execute(
        """select lp.code, lp.kind, s.name, lp.weight_g from license_plate lp join site s on s.id = lp.site_id
           where lp.id = %s and lp.site_id = %s""",
        [plate_id, ctx.site_id],
    ).fetchone()
    if row is None:
        raise Unknown("There is no such license plate at this site.", field="ref")
    if row[1] == "tote":
        return f"tote {row[0]}", zpl.tote_label(row[0], row[2])
    contents = contents_of(conn, ctx.site_id, plate_id)
    return f"{row[1]} {row[0]}", zpl.sscc_label(row[0], row[1], row[2], contents, weight_g=row[3])


def contents_of(conn: Conn, site_id: UUID, plate_id: UUID) -> list[zpl.Content]:
    rows = ledger.on_plate(conn, site_id, plate_id)
    items = {
        r[0]: r[1:]
        for r in conn.execute(
            "select id, sku, name, base_unit from item where id = any(%s)", [[r.item_id for r in rows]]
        ).fetchall()
    }
    contents = []
    for r in rows:
        sku, name, unit = items[r.item_id]
        contents.append(zpl.Content(sku, name, r.on_hand, unit, r.lot_code, r.expires_on, r.serial))
    return contents


@dataclass(frozen=True)
class _ItemRow:
    sku: str
    name: str
    gtin: str | None


def _render_item(conn: Conn, item_id: UUID, more: ItemOf) -> tuple[str, str]:
    with conn.cursor(row_factory=class_row(_ItemRow)) as cur:
        row = cur.execute(
            """select i.sku, i.name, k.gtin from item i left join item_pack k on k.item_id = i.id and k.units = 1
               and k.gtin is not null where i.id = %s limit 1""",
            [item_id],
        ).fetchone()
    if row is None:
        raise Unknown("There is no such item.", field="ref")
    text = zpl.item_label(
        row.sku, row.name, more.gtin or row.gtin, lot=more.lot, expires_on=more.expires_on, serial=more.serial
    )
    return f"item {row.sku}", text
