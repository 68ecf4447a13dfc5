"""License plates: a new one, with an SSCC of ours unless it has a code, filled from loose stock that stands there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from backend import ledger
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, Invalid, Unknown
from backend.ids import new_id
from backend.labels.sscc import new_sscc
from device_drivers.gs1 import is_valid_sscc


@dataclass(frozen=True)
class PlateContent:
    item_id: UUID
    quantity: Decimal
    lot_id: UUID | None = None
    serial: str | None = None
    status: str = "available"


@dataclass(frozen=True)
class NewPlate:
    """`contents` are taken from loose stock at `place_id`."""

    kind: str
    code: str | None = None
    place_id: UUID | None = None
    parent_id: UUID | None = None
    contents: tuple[PlateContent, ...] = ()


def check_plate_code(code: str) -> str:
    """18 digits must be a right SSCC; anything else is the site's own code. Raises Invalid."""
    code = code.strip()
    if re.fullmatch(r"\d{18}", code) and not is_valid_sscc(code):
        raise Invalid(f"{code} looks like an SSCC, but its check digit is wrong.", field="code")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}", code):
        raise Invalid("A license plate code is letters, digits, dot, dash and underscore.", field="code")
    return code


def running_codes(first: str, count: int) -> list[str]:
    """TOTE-08 and 3 -> TOTE-08, TOTE-09, TOTE-10. Raises Invalid."""
    if count == 1:
        return [first]
    counted = re.fullmatch(r"(.*?)([0-9]+)", first)
    if counted is None:
        raise Invalid("Codes run on from a number at the end; begin with one such as TOTE-01.", field="code")
    stem, number = counted[1], counted[2]
    return [f"{stem}{int(number) + n:0{len(number)}d}" for n in range(count)]


def create_plates(
    conn: Conn, ctx: Context, kind: str, count: int, *, code: str | None = None, place_id: UUID | None = None
) -> list[UUID]:
    """Empty ones, with codes that run on from `code`, else with SSCCs of ours. Raises as `create_plate` does."""
    codes = running_codes(code, count) if code else [None] * count
    return [create_plate(conn, ctx, NewPlate(kind, one, place_id)) for one in codes]


def create_plate(conn: Conn, ctx: Context, new: NewPlate) -> UUID:
    """Raises Invalid, Unknown, Conflict (code of another plate, a place or an item), NotEnoughStock."""
    code = check_plate_code(new.code) if new.code else new_sscc(conn, ctx.site_id)
    if conn.execute(
        """select 1 from place where site_id = %s and upper(code) = upper(%s)
           union all select 1 from item where upper(sku) = upper(%s)""",
        [ctx.site_id, code, code],
    ).fetchone():
        raise Conflict(f"{code} is a place or an item already; a scan would mix them up.", field="code")
    if new.place_id is not None:
        place = conn.execute(
            "select holds_stock and is_physical from place where id = %s and site_id = %s",
            [new.place_id, ctx.site_id],
        ).fetchone()
        if place is None:
            raise Unknown("There is no such place at this site.", field="place_id")
        if not place[0]:
            raise Invalid("This place does not hold stock itself; name a bin in it.", field="place_id")
    if new.parent_id is not None:
        parent = conn.execute(
            "select code, place_id from license_plate where id = %s and site_id = %s for update",
            [new.parent_id, ctx.site_id],
        ).fetchone()
        if parent is None:
            raise Unknown("There is no such license plate at this site.", field="parent_id")
        if new.place_id is not None and parent[1] is not None and parent[1] != new.place_id:
            raise Conflict(
                f"{parent[0]} stands somewhere else; nothing can be put on it here.", field="parent_id"
            )
    if new.contents and new.place_id is None:
        raise Invalid("Say at which place the contents stand.", field="place_id")
    plate_id = new_id()
    made = conn.execute(
        """insert into license_plate (id, site_id, code, kind, parent_id, place_id) values (%s, %s, %s, %s, %s, %s)
           on conflict on constraint license_plate_code_unique do nothing returning id""",
        [plate_id, ctx.site_id, code, new.kind, new.parent_id, new.place_id],
    ).fetchone()
    if made is None:
        raise Conflict(f"The site has a license plate {code} already.", field="code")
    if new.contents and new.place_id is not None:
        ledger.post(
            conn,
            ctx,
            [
                ledger.Move(
                    c.item_id,
                    c.quantity,
                    ledger.Spot(new.place_id, None, c.status),
                    ledger.Spot(new.place_id, plate_id, c.status),
                    f"put on {new.kind} {code}",
                    "pack",
                    plate_id,
                    c.lot_id,
                    c.serial,
                )
                for c in new.contents
            ],
        )
    return plate_id
