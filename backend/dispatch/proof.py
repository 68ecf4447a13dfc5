"""At the customer's door: what was handed over is the customer's, what was not stays aboard, and both are proved for good.

One proof a delivery, never changed. Each carton, each lot and serial is said: handing over more than is aboard is refused by
the rows of `aboard` (locked here, and CHECKed by the database). The movements have cause `delivery` and the proof's id: from
them the ERP's customer shipment is made.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID
from xml.etree import ElementTree

from psycopg.rows import class_row

from backend import ledger
from backend.catalog.codes import UnknownCode, resolve_code
from backend.context import Context
from backend.db import Conn
from backend.dispatch import etas, tracking
from backend.dispatch import on_the_road as road
from backend.dispatch.events import note
from backend.dispatch.on_the_road import AboardRow, RoadRoute, RoadStop
from backend.errors import Conflict, Invalid, NotFound, RefusedButRecorded, register
from backend.ids import new_id
from backend.ledger import Move, Spot
from backend.live.announce import announce

register(
    {
        "delivery_proof_once": (Conflict, "What became of this delivery is proved already; a proof is never changed.", None),
        "delivery_proof_line_within_aboard": (Conflict, "The vehicle does not have that much of it.", "quantity"),
        "delivery_proof_is_final": (Conflict, "A proof of delivery is never changed.", None),
    }
)  # fmt: skip

ZERO = Decimal(0)
PHOTO_BYTES = 1_200_000
MAGIC = {
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
}
Outcome = Literal["delivered", "partly_delivered", "refused", "nobody_there"]


class MoreThanAboard(Conflict):
    kind, title = "more-than-aboard", "More than the vehicle has"


class AlreadyProved(Conflict):
    """Its proof stands. A phone that sends late may forget what it kept."""

    kind, title = "already-proved", "What became of it is proved already"


class WrongParcel(Conflict, RefusedButRecorded):
    """What was scanned is not this customer's. Nothing was handed over in the books; the scan is recorded."""

    kind, title = "wrong-parcel", "That is not this customer's"


@dataclass(frozen=True)
class Piece:
    item_id: UUID
    quantity: Decimal
    lot: str | None = None
    serial: str | None = None


@dataclass(frozen=True)
class HandedOver:
    """One carton. `pieces` where it was opened."""

    sscc: str
    what: Literal["all", "none", "pieces"] = "all"
    pieces: tuple[Piece, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Photo:
    type: str
    data: bytes


@dataclass(frozen=True)
class Evidence:
    """What is kept with the outcome."""

    receiver_name: str = ""
    signature_svg: str | None = None
    photo: Photo | None = None
    scanned: tuple[str, ...] = ()
    note: str = ""
    lat: float | None = None
    lon: float | None = None
    occurred_at: datetime | None = None


@dataclass
class _Line:
    row: AboardRow
    delivered: Decimal = ZERO
    reason: str = ""
    scanned: bool = False


@dataclass(frozen=True)
class _Door:
    """A stop whose order, route and job are held."""

    r: RoadRoute
    s: RoadStop
    job_id: UUID
    at: datetime
    lines: list[_Line] = field(default_factory=list)


def deliver(
    conn: Conn, ctx: Context, stop_id: UUID, cartons: Sequence[HandedOver], evidence: Evidence
) -> UUID:
    """All of it or a part; `cartons` empty: all. Returns the proof.

    Raises MoreThanAboard, AlreadyProved, WrongParcel, Invalid (a carton not spoken of, a bad signature), Conflict, NotFound."""
    door = _hold(conn, ctx, stop_id, evidence.occurred_at)
    _say_what_was_handed_over(door.lines, cartons)
    _check_scans(conn, ctx, door, evidence.scanned)
    total = sum((x.row.quantity for x in door.lines), ZERO)
    given = sum((x.delivered for x in door.lines), ZERO)
    outcome: Outcome = "delivered" if given == total else "refused" if given == 0 else "partly_delivered"
    reasons = list(dict.fromkeys(x.reason for x in door.lines if x.reason and x.delivered < x.row.quantity))
    if outcome == "refused" and not reasons:
        raise Invalid("Nothing was handed over: say why.", field="lines")
    return _settle(conn, ctx, door, outcome, "; ".join(reasons) or evidence.note, evidence)


def fail(conn: Conn, ctx: Context, stop_id: UUID, outcome: Outcome, reason: str, evidence: Evidence) -> UUID:
    """Refused as a whole, or nobody there. Raises AlreadyProved, Conflict, NotFound."""
    door = _hold(conn, ctx, stop_id, evidence.occurred_at)
    return _settle(conn, ctx, door, outcome, reason.strip(), evidence)


def _hold(conn: Conn, ctx: Context, stop_id: UUID, occurred_at: datetime | None) -> _Door:
    s = road.stop(conn, ctx.site_id, stop_id)
    if s.kind != "delivery" or s.job_id is None or s.order_id is None:
        raise Conflict("Nothing is delivered at this stop.", kind=s.kind)
    road.lock_order_of(conn, ctx.site_id, s.order_id)
    r = road.lock_with_others(conn, ctx.site_id, s.route_id, [s.order_id])
    conn.execute(
        "select 1 from delivery_job where site_id = %s and id = %s for update", [ctx.site_id, s.job_id]
    )
    s = road.stop(conn, ctx.site_id, stop_id)
    assert s.job_id is not None
    proved = conn.execute(
        "select id, outcome, occurred_at, actor from delivery_proof where site_id = %s and job_id = %s",
        [ctx.site_id, s.job_id],
    ).fetchone()
    if proved is not None:
        raise AlreadyProved(
            f"{s.job_number} was {proved[1].replace('_', ' ')} at {proved[2]:%H:%M} UTC by {proved[3]}; a proof is never changed.",
            proof_id=str(proved[0]),
            outcome=proved[1],
        )
    if r.state not in road.ON_THE_ROAD:
        raise Conflict(
            f"{r.label} is {r.state.replace('_', ' ')}; something is delivered once it is under way.",
            state=r.state,
        )
    rows = road.aboard(
        conn,
        " and a.job_id = %s and a.route_id = %s and a.quantity > 0",
        [ctx.site_id, s.job_id, r.id],
        lock=True,
    )
    if not rows:
        raise Conflict(f"{r.label} has nothing aboard for {s.customer_name}.", field="stop_id")
    at = road.moment(ctx, occurred_at, r.departed_at)
    return _Door(r, s, s.job_id, at, [_Line(row) for row in rows])


def _say_what_was_handed_over(lines: list[_Line], cartons: Sequence[HandedOver]) -> None:
    if not cartons:
        for x in lines:
            x.delivered = x.row.quantity
        return
    by_sscc: dict[str, list[_Line]] = {}
    for x in lines:
        by_sscc.setdefault(x.row.sscc, []).append(x)
    for n, c in enumerate(cartons):
        mine = by_sscc.pop(_sscc(c.sscc), None)
        if mine is None:
            raise Invalid(
                f"{c.sscc} is no carton aboard for this customer, or was named twice.",
                field=f"lines.{n}.sscc",
            )
        for x in mine:
            x.reason = c.reason.strip()
        if c.what == "all":
            for x in mine:
                x.delivered = x.row.quantity
        elif c.what == "pieces":
            for k, piece in enumerate(c.pieces):
                _hand_over(mine, piece, f"lines.{n}.delivered.{k}")
    if by_sscc:
        raise Invalid(
            f"Say what became of {', '.join(sorted(by_sscc))}: every carton of the stop, or none at all where all were handed over.",
            field="lines",
        )


def _hand_over(mine: list[_Line], piece: Piece, at: str) -> None:
    left = piece.quantity
    fitting = [
        x
        for x in mine
        if x.row.item_id == piece.item_id
        and (piece.lot is None or x.row.lot_code == piece.lot)
        and (piece.serial is None or x.row.serial == piece.serial)
    ]
    for x in fitting:
        take = min(left, x.row.quantity - x.delivered)
        x.delivered += take
        left -= take
    if left > 0:
        there = sum((x.row.quantity for x in fitting), ZERO)
        what = fitting[0].row.sku if fitting else "this"
        raise MoreThanAboard(
            f"Carton {mine[0].row.sscc} has {there.normalize():f} of {what} aboard; {piece.quantity.normalize():f} cannot be "
            "handed over.",
            field=f"{at}.quantity",
            aboard=format(there.normalize(), "f"),
        )


def _sscc(code: str) -> str:
    digits = re.sub(r"^\(00\)|^\]C1|\s", "", code.strip())
    return digits[2:] if len(digits) == 20 and digits.startswith("00") else digits


def _check_scans(conn: Conn, ctx: Context, door: _Door, scanned: Sequence[str]) -> None:
    for n, code in enumerate(scanned):
        try:
            found = resolve_code(conn, ctx.site_id, code)
        except UnknownCode:
            found = None
        hits = []
        if found is not None and found.license_plate_id is not None:
            hits = [x for x in door.lines if x.row.carton_id == found.license_plate_id]
        elif found is not None and found.item_id is not None:
            hits = [
                x
                for x in door.lines
                if x.row.item_id == found.item_id and found.serial in (None, x.row.serial)
            ]
        if not hits:
            expected = sorted({x.row.sscc for x in door.lines})
            label = found.label if found is not None else repr(code)
            detail = f"{label} is not for {door.s.customer_name}; for them are {', '.join(expected[:5])}."
            note(conn, ctx, "wrong_parcel", detail, route_id=door.r.id, job_id=door.job_id,
                 evidence={"seen": code[:500], "expected": expected})  # fmt: skip
            raise WrongParcel(detail, field=f"scanned.{n}", expected=expected, seen=code)
        for x in hits:
            x.scanned = True


def _settle(conn: Conn, ctx: Context, door: _Door, outcome: Outcome, reason: str, evidence: Evidence) -> UUID:
    r, s, at = door.r, door.s, door.at
    then = replace(ctx, now=at)
    proof_id = new_id()
    signature = clean_signature(evidence.signature_svg) if evidence.signature_svg else None
    photo = evidence.photo
    conn.execute(
        """insert into delivery_proof (site_id, id, job_id, stop_id, outcome, occurred_at, actor, receiver_name, reason, lat, lon,
                                       signature_svg, photo, photo_type) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [ctx.site_id, proof_id, door.job_id, s.id, outcome, at, ctx.actor, evidence.receiver_name.strip(), reason, evidence.lat,
         evidence.lon, signature, photo.data if photo else None, photo.type if photo else None],
    )  # fmt: skip
    _write_lines(conn, ctx, proof_id, door.lines, reason)
    _give_to_customer(conn, then, door, proof_id)
    conn.execute(
        "update delivery_job set state = %s, finished_at = %s, version = version + 1 where site_id = %s and id = %s",
        [outcome, at, ctx.site_id, door.job_id],
    )
    conn.execute(
        """update delivery_stop set state = %s, done_at = %s, arrived_by = case when arrived_at is null then 'driver' else arrived_by end,
                  arrived_at = coalesce(arrived_at, %s), late_s = greatest(0, extract(epoch from coalesce(arrived_at, %s) - %s)::int)
           where site_id = %s and id = %s""",
        [
            "done" if outcome in ("delivered", "partly_delivered") else "failed",
            at,
            at,
            at,
            s.window_until,
            ctx.site_id,
            s.id,
        ],
    )
    road.pass_over(conn, ctx, door.job_id, r.id, but=s.id)  # where another vehicle was to take it over
    tracking.end(conn, then, door.job_id)
    etas.late_is_over(conn, ctx, door.job_id)
    note(conn, then, outcome, f"{s.job_number} for {s.customer_name}: {_words(outcome, door.lines, reason)}", route_id=r.id,
         job_id=door.job_id, evidence={"proof_id": str(proof_id)})  # fmt: skip
    _tell(conn, then, door, proof_id, outcome, reason, evidence)
    etas.refresh(conn, ctx, r.id)
    announce(conn, ctx.site_id, "deliveries", r.id)
    if s.order_id is not None:
        announce(conn, ctx.site_id, "orders", s.order_id)
    return proof_id


def _write_lines(conn: Conn, ctx: Context, proof_id: UUID, lines: list[_Line], reason: str) -> None:
    """One a carton, item, lot and serial, whatever the rows aboard are split by besides."""
    sums: dict[tuple[Any, ...], list[Any]] = {}
    for x in lines:
        key = (x.row.carton_id, x.row.sscc, x.row.item_id, x.row.lot_id, x.row.serial)
        known = sums.setdefault(key, [ZERO, ZERO, "", False])
        known[0] += x.row.quantity
        known[1] += x.delivered
        known[2] = known[2] or (x.reason or reason if x.delivered < x.row.quantity else "")
        known[3] = known[3] or x.scanned
    with conn.cursor() as cur:
        cur.executemany(
            """insert into delivery_proof_line (site_id, proof_id, carton_id, sscc, item_id, lot_id, serial, aboard, delivered, reason,
                                                scanned) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            [[ctx.site_id, proof_id, *key, *values] for key, values in sums.items()],
        )


def _give_to_customer(conn: Conn, ctx: Context, door: _Door, proof_id: UUID) -> None:
    in_transit = ledger.virtual_place(conn, ctx.site_id, "in_transit")
    customer = ledger.virtual_place(conn, ctx.site_id, "customer")
    moves = []
    for x in door.lines:
        if x.delivered <= 0:
            continue
        a = x.row
        evidence = {"order_id": str(door.s.order_id), "sscc": a.sscc, "delivery": door.s.job_number}
        if a.order_line_id is not None:
            evidence["order_line_id"] = str(a.order_line_id)
        moves.append(
            Move(a.item_id, x.delivered, Spot(in_transit, a.carton_id, a.status), Spot(customer, a.carton_id, a.status),
                 "delivered", "delivery", proof_id, a.lot_id, a.serial, a.owner_id, evidence=evidence)
        )  # fmt: skip
        road.take_from_aboard(conn, ctx, a.id, x.delivered)
    ledger.post(conn, ctx, moves)


def _words(outcome: Outcome, lines: list[_Line], reason: str) -> str:
    cartons = {x.row.carton_id for x in lines}
    whole = {c for c in cartons if all(x.delivered == x.row.quantity for x in lines if x.row.carton_id == c)}
    match outcome:
        case "delivered":
            return f"{len(cartons)} cartons handed over"
        case "partly_delivered":
            return f"{len(whole)} of {len(cartons)} cartons handed over whole ({reason or 'no reason given'})"
        case _:
            return reason


def _tell(
    conn: Conn, ctx: Context, door: _Door, proof_id: UUID, outcome: Outcome, reason: str, evidence: Evidence
) -> None:
    type_ = "delivery.nobody_there" if outcome == "nobody_there" else f"order.{outcome}"
    road.tell(
        conn,
        ctx,
        type_,
        door.job_id,
        outcome=outcome,
        occurred_at=door.at.isoformat(),
        reason=reason,
        proof={
            "id": str(proof_id),
            "receiver_name": evidence.receiver_name.strip(),
            "signed": evidence.signature_svg is not None,
            "photo": evidence.photo is not None,
            "lines": [
                {
                    "sscc": x.row.sscc,
                    "sku": x.row.sku,
                    "lot": x.row.lot_code,
                    "serial": x.row.serial,
                    "aboard": format(x.row.quantity.normalize(), "f"),
                    "delivered": format(x.delivered.normalize(), "f"),
                    "reason": x.reason,
                }
                for x in door.lines
            ],
        },
    )


# --- signature and photo ----------------------------------------------------------------------------------

_PATH = re.compile(r"[MmLlHhVvCcSsQqTtAaZz0-9eE+\-., \t\r\n]{1,300000}")
_PLAIN = re.compile(r"[0-9]{1,6}(\.[0-9]{1,20})?")
_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?(px)?")
_BOX = re.compile(r"-?[0-9.]{1,12}([ ,]+-?[0-9.]{1,12}){3}")


def clean_signature(svg: str) -> str:
    """Only its strokes: the paths' data and the dots, in an SVG of our own making. Raises Invalid."""
    wrong = Invalid("The signature cannot be read; it has to be an SVG of paths.", field="signature_svg")
    if "<!" in svg or "<?" in svg.replace("<?xml", "", 1) or "&" in svg:
        raise wrong
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError as e:
        raise wrong from e
    if _tag(root) != "svg":
        raise wrong
    strokes = []
    for element in root.iter():
        if _tag(element) == "path" and _PATH.fullmatch(element.get("d", "")):
            strokes.append(" ".join(element.get("d", "").split()))
        elif _tag(element) == "circle":
            cx, cy, radius = (element.get(k, "") for k in ("cx", "cy", "r"))
            if all(_PLAIN.fullmatch(v) for v in (cx, cy, radius)):
                strokes.append(_dot(cx, cy, float(radius)))
    if not strokes:
        raise wrong
    box = root.get("viewBox", "")
    if not _BOX.fullmatch(box):
        width, height = root.get("width", ""), root.get("height", "")
        sized = _NUMBER.fullmatch(width) and _NUMBER.fullmatch(height)
        box = f"0 0 {width.removesuffix('px')} {height.removesuffix('px')}" if sized else "0 0 600 200"
    paths = "".join(f'<path d="{d}"/>' for d in strokes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" fill="none" stroke="#000" stroke-width="2" '
        f'stroke-linecap="round">{paths}</svg>'
    )


def _dot(cx: str, cy: str, radius: float) -> str:
    half = f"a{radius:g} {radius:g} 0 1 0 "
    return f"M{cx} {cy}m{-radius:g} 0{half}{2 * radius:g} 0{half}{-2 * radius:g} 0"


def _tag(element: ElementTree.Element) -> str:
    return str(element.tag).rsplit("}", 1)[-1]


def photo_of(type_: str, text: str) -> Photo:
    """From base64. Raises Invalid where it is no picture of that type, or too large."""
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as e:
        raise Invalid("The photo is not base64.", field="photo.base64") from e
    if len(data) > PHOTO_BYTES:
        raise Invalid(f"A photo may have {PHOTO_BYTES} bytes; make it smaller.", field="photo.base64")
    if type_ not in MAGIC or not MAGIC[type_].match(data):
        raise Invalid(f"The photo is no {type_}.", field="photo.type")
    return Photo(type_, data)


# --- reading ----------------------------------------------------------------------------------------------


def not_with_customer(conn: Conn, site_id: UUID, order_id: UUID) -> dict[UUID, Decimal]:
    """By item: what counts as shipped of an order and is with no customer: aboard still, or not taken."""
    rows = conn.execute(
        """select item_id, sum(quantity) from (
               select a.item_id, a.quantity from aboard a join delivery_job j on j.site_id = a.site_id and j.id = a.job_id
                      left join delivery_proof p on p.site_id = j.site_id and p.job_id = j.id
               where j.site_id = %s and j.order_id = %s and coalesce(p.outcome, '') not in ('partly_delivered', 'refused')
               union all
               select l.item_id, l.aboard - l.delivered from delivery_proof_line l
                      join delivery_proof p on p.site_id = l.site_id and p.id = l.proof_id
                      join delivery_job j on j.site_id = p.site_id and j.id = p.job_id
               where j.site_id = %s and j.order_id = %s and p.outcome in ('partly_delivered', 'refused')) x
           group by item_id""",
        [site_id, order_id, site_id, order_id],
    ).fetchall()
    return {r[0]: r[1] for r in rows if r[1] > 0}


def route_with_serial(conn: Conn, item_id: UUID, serial: str) -> str | None:
    """The number of the route whose vehicle has it aboard; a serial exists once, over all sites."""
    row = conn.execute(
        """select r.number from aboard a join delivery_route r on r.site_id = a.site_id and r.id = a.route_id
           where a.item_id = %s and a.serial = %s and a.quantity > 0""",
        [item_id, serial],
    ).fetchone()
    return None if row is None else str(row[0])


@dataclass(frozen=True)
class ProofLine:
    proof_id: UUID
    carton_id: UUID
    sscc: str
    item_id: UUID
    sku: str
    name: str
    unit: str
    lot: str | None
    serial: str | None
    aboard: Decimal
    delivered: Decimal
    reason: str
    scanned: bool


@dataclass(frozen=True)
class Proof:
    id: UUID
    job_id: UUID
    job_number: str
    attempt: int
    order_id: UUID
    order_number: str
    external_number: str
    customer_name: str
    route_id: UUID | None
    route_number: str | None
    driver_id: UUID | None
    stop_id: UUID | None
    outcome: str
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    receiver_name: str
    reason: str
    lat: float | None
    lon: float | None
    signature_svg: str | None
    photo_type: str | None
    lines: tuple[ProofLine, ...] = field(default=())


_PROOF = """
    select p.id, p.job_id, j.number as job_number, j.attempt, j.order_id, o.number as order_number, o.external_number, j.customer_name,
           s.route_id, r.number as route_number, h.driver_id, p.stop_id, p.outcome, p.occurred_at, p.recorded_at, p.actor,
           p.receiver_name, p.reason, p.lat, p.lon, p.signature_svg, p.photo_type
    from delivery_proof p join delivery_job j on j.site_id = p.site_id and j.id = p.job_id
         join sales_order o on o.site_id = j.site_id and o.id = j.order_id
         left join delivery_stop s on s.site_id = p.site_id and s.id = p.stop_id
         left join delivery_route r on r.site_id = s.site_id and r.id = s.route_id
         left join vehicle_shift h on h.site_id = r.site_id and h.id = r.shift_id
    where p.site_id = %s"""


def proofs(conn: Conn, where: str, params: Sequence[Any]) -> list[Proof]:
    """`where` continues the query and is never input; `params` starts with the site."""
    with conn.cursor(row_factory=class_row(Proof)) as cur:
        heads = cur.execute((_PROOF + where).encode(), params).fetchall()
    if not heads:
        return []
    with conn.cursor(row_factory=class_row(ProofLine)) as line_cur:
        lines = line_cur.execute(
            """select x.proof_id, x.carton_id, x.sscc, x.item_id, i.sku, i.name, i.base_unit as unit, l.code as lot, x.serial, x.aboard,
                      x.delivered, x.reason, x.scanned
               from delivery_proof_line x join item i on i.id = x.item_id left join lot l on l.id = x.lot_id
               where x.site_id = %s and x.proof_id = any(%s) order by x.sscc, i.sku, l.code, x.serial""",
            [params[0], [h.id for h in heads]],
        ).fetchall()
    return [replace(h, lines=tuple(x for x in lines if x.proof_id == h.id)) for h in heads]


def proof(conn: Conn, site_id: UUID, proof_id: UUID) -> Proof:
    """Raises NotFound, also for a proof of another site."""
    found = proofs(conn, " and p.id = %s", [site_id, proof_id])
    if not found:
        raise NotFound("There is no such proof of delivery at this site.", field="proof_id")
    return found[0]


def photo(conn: Conn, site_id: UUID, proof_id: UUID) -> Photo:
    """Raises NotFound."""
    row = conn.execute(
        "select photo_type, photo from delivery_proof where site_id = %s and id = %s and photo is not null",
        [site_id, proof_id],
    ).fetchone()
    if row is None:
        raise NotFound("There is no photo with this proof.", field="proof_id")
    return Photo(row[0], bytes(row[1]))
