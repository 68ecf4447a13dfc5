"""Where goods should go. A rule that forbids is a function in `RULES`; what makes a bin better is `_score`.

Rules: the place is open and holds stock; status decides between shelf and quarantine; storage class; capacity; mixing of
items and of lots. Better is: the same item and lot is there already, the bin is empty, it is near.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from psycopg.rows import class_row

from backend.db import Conn

ZERO = Decimal(0)


@dataclass(frozen=True)
class Load:
    """One item (and lot, status) of what is to be put away."""

    item_id: UUID
    quantity: Decimal
    lot_id: UUID | None = None
    status: str = "available"


@dataclass(frozen=True)
class Candidate:
    """A bin and why. `forbidden` is empty where the goods may go there."""

    place_id: UUID
    code: str
    score: int
    reasons: list[str]
    forbidden: list[str]


@dataclass(frozen=True)
class _Place:
    id: UUID
    code: str
    kind: str
    storage_class: str
    holds_stock: bool
    active: bool
    is_physical: bool
    max_units: Decimal | None
    mixed_items: bool
    mixed_lots: bool
    pick_sequence: int | None
    distance_m: float | None
    on_hand: Decimal
    planned: Decimal


@dataclass(frozen=True)
class _Item:
    id: UUID
    sku: str
    storage_class: str


@dataclass(frozen=True)
class _Held:
    place_id: UUID
    item_id: UUID
    sku: str
    lot_id: UUID | None
    lot_code: str | None
    on_hand: Decimal


@dataclass(frozen=True)
class _Case:
    """One place and one load under judgement."""

    place: _Place
    load: Load
    item: _Item
    total: Decimal
    held: Sequence[_Held]


def _is_open(c: _Case) -> str | None:
    if not c.place.is_physical or not c.place.holds_stock:
        return f"{c.place.code} does not hold stock itself; choose a bin in it."
    return None if c.place.active else f"{c.place.code} is closed."


def _is_for_this_status(c: _Case) -> str | None:
    if c.load.status == "available":
        if c.place.kind == "quarantine":
            return f"{c.place.code} is for blocked goods; these are available."
        return None if c.place.kind in SHELVES else f"{c.place.code} is no storage place."
    return (
        None
        if c.place.kind == "quarantine"
        else f"{c.item.sku} is {c.load.status}; it goes to a quarantine place."
    )


def _class_fits(c: _Case) -> str | None:
    if c.load.status != "available" or c.place.storage_class == c.item.storage_class:
        return None
    if "hazard" in (c.item.storage_class, c.place.storage_class):
        return f"{c.item.sku} is {c.item.storage_class} goods and {c.place.code} is for {c.place.storage_class}: hazardous goods stand apart."
    return f"{c.item.sku} needs {c.item.storage_class}; {c.place.code} is {c.place.storage_class}."


def _has_room(c: _Case) -> str | None:
    if c.place.max_units is None or c.place.on_hand + c.total <= c.place.max_units:
        return None
    room = max(c.place.max_units - c.place.on_hand, ZERO)
    return f"{c.place.code} is full: it has room for {room.normalize():f}, this is {c.total.normalize():f}."


def _items_mix(c: _Case) -> str | None:
    other = next((h for h in c.held if h.item_id != c.item.id), None)
    if c.place.mixed_items or other is None:
        return None
    return f"{c.place.code} holds {other.sku} and takes one item only."


def _lots_mix(c: _Case) -> str | None:
    other = next((h for h in c.held if h.item_id == c.item.id and h.lot_id != c.load.lot_id), None)
    if c.place.mixed_lots or other is None:
        return None
    return f"{c.place.code} holds lot {other.lot_code or '(none)'} of {c.item.sku} and takes one lot only."


RULES: list[Callable[[_Case], str | None]] = [
    _is_open,
    _is_for_this_status,
    _class_fits,
    _has_room,
    _items_mix,
    _lots_mix,
]
"""Each gives the sentence that forbids, or None."""

SHELVES = ("bin", "zone", "aisle")


def propose(
    conn: Conn,
    site_id: UUID,
    loads: Sequence[Load],
    *,
    from_place_id: UUID | None = None,
    limit: int = 5,
    task_id: UUID | None = None,
) -> list[Candidate]:
    """The bins where all of `loads` may go together, best first. Empty: there is none (see `check_place` for why).

    `task_id`: the task that asks; what it planned itself takes no room."""
    judged = _judge(conn, site_id, loads, from_place_id, None, task_id)
    return sorted((c for c in judged if not c.forbidden), key=lambda c: (-c.score, c.code))[:limit]


def check_place(
    conn: Conn, site_id: UUID, loads: Sequence[Load], place_id: UUID, *, from_place_id: UUID | None = None
) -> Candidate:
    """One place, with what forbids it."""
    return _judge(conn, site_id, loads, from_place_id, place_id, None)[0]


def _judge(
    conn: Conn,
    site_id: UUID,
    loads: Sequence[Load],
    from_place_id: UUID | None,
    only: UUID | None,
    task_id: UUID | None,
) -> list[Candidate]:
    total = sum((load.quantity for load in loads), ZERO)
    places = _places(conn, site_id, from_place_id, only, task_id)
    with conn.cursor(row_factory=class_row(_Item)) as cur:
        items = {
            i.id: i
            for i in cur.execute(
                "select id, sku, storage_class from item where id = any(%s)",
                [[load.item_id for load in loads]],
            ).fetchall()
        }
    held: dict[UUID, list[_Held]] = {}
    with conn.cursor(row_factory=class_row(_Held)) as cur:
        for h in cur.execute(
            """select b.place_id, b.item_id, i.sku, b.lot_id, l.code as lot_code, sum(b.on_hand) as on_hand
               from balance b join item i on i.id = b.item_id left join lot l on l.id = b.lot_id
               where b.site_id = %s and b.on_hand > 0 and b.place_id = any(%s) group by 1, 2, 3, 4, 5""",
            [site_id, [p.id for p in places]],
        ).fetchall():
            held.setdefault(h.place_id, []).append(h)
    out = []
    for p in places:
        cases = [_Case(p, load, items[load.item_id], total, held.get(p.id, [])) for load in loads]
        forbidden = [why for case in cases for rule in RULES if (why := rule(case)) is not None]
        forbidden += _do_not_mix_among_themselves(p, loads)
        score, reasons = _score(p, loads, held.get(p.id, []), total)
        out.append(Candidate(p.id, p.code, score, reasons, list(dict.fromkeys(forbidden))))
    return out


def _do_not_mix_among_themselves(p: _Place, loads: Sequence[Load]) -> list[str]:
    if not p.mixed_items and len({load.item_id for load in loads}) > 1:
        return [f"{p.code} takes one item only; this holds several."]
    if not p.mixed_lots and len({(load.item_id, load.lot_id) for load in loads}) > len(
        {load.item_id for load in loads}
    ):
        return [f"{p.code} takes one lot only; this holds several."]
    return []


def _score(p: _Place, loads: Sequence[Load], held: Sequence[_Held], total: Decimal) -> tuple[int, list[str]]:
    score, reasons = 0, []
    item_ids = {load.item_id for load in loads}
    lots = {(load.item_id, load.lot_id) for load in loads}
    same_lot = [h for h in held if (h.item_id, h.lot_id) in lots]
    if same_lot and any(h.lot_id is not None for h in same_lot):
        score, reasons = score + 60, [f"holds lot {same_lot[0].lot_code} of {same_lot[0].sku}"]
    elif any(h.item_id in item_ids for h in held):
        score, reasons = score + 45, [f"holds {next(h.sku for h in held if h.item_id in item_ids)}"]
    elif not held:
        score, reasons = score + 30, ["empty"]
    if p.planned > 0:
        score -= 25
        reasons.append(f"{p.planned.normalize():f} more are on their way there")
        if p.max_units is not None and p.on_hand + p.planned + total > p.max_units:
            score -= 200
            reasons.append("with those it would be full")
    if p.max_units is not None:
        reasons.append(f"room for {(p.max_units - p.on_hand).normalize():f}")
    if p.kind != "bin":
        score -= 40
    if p.distance_m is not None:
        score -= min(int(p.distance_m / 5), 20)
        reasons.append(f"{p.distance_m:.0f} m away")
    elif p.pick_sequence is not None:
        score -= min(p.pick_sequence // 10, 15)
    return score, reasons


def _places(
    conn: Conn, site_id: UUID, from_place_id: UUID | None, only: UUID | None, task_id: UUID | None
) -> list[_Place]:
    with conn.cursor(row_factory=class_row(_Place)) as cur:
        return cur.execute(
            """select p.id, p.code, p.kind, p.storage_class, p.holds_stock, p.active, p.is_physical, p.max_units, p.mixed_items,
                      p.mixed_lots, p.pick_sequence,
                      (abs(p.x_m - f.x_m) + abs(p.y_m - f.y_m))::float as distance_m,
                      coalesce((select sum(b.on_hand) from balance b where b.place_id = p.id), 0) as on_hand,
                      coalesce((select sum(t.quantity) from putaway_task t where t.proposed_place_id = p.id
                                and t.state in ('open', 'claimed') and t.id is distinct from %(task)s), 0) as planned
               from place p left join place f on f.id = %(from)s
               where p.site_id = %(site)s and case when %(only)s::uuid is null
                   then p.active and p.holds_stock and p.kind in ('bin', 'zone', 'aisle', 'quarantine') else p.id = %(only)s end
               order by p.code""",
            {"site": site_id, "from": from_place_id, "only": only, "task": task_id},
        ).fetchall()
