"""The decision: what is the position of an item, is it below its reorder point, whom to order how much from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_CEILING, Decimal
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from backend import orders
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, NotFound
from backend.ids import new_id
from backend.integration import erp, webhooks
from backend.live.announce import announce

ZERO = Decimal(0)


@dataclass(frozen=True)
class Rule:
    item_id: UUID
    sku: str
    name: str
    unit: str
    quantity_decimals: int
    reorder_point: Decimal
    target_level: Decimal
    safety_stock: Decimal
    supplier_id: UUID | None
    approve_above: Decimal
    recommendable: bool


@dataclass(frozen=True)
class Offer:
    supplier_id: UUID
    supplier_name: str
    unit_price: Decimal
    currency: str
    lead_time_d: int
    min_order_qty: Decimal
    pack_multiple: Decimal
    preferred: bool


@dataclass(frozen=True)
class Position:
    """Base units. `position` is what is there or coming, less what is spoken for."""

    on_hand: Decimal
    reserved: Decimal
    waiting: Decimal
    on_order: Decimal
    promiseable: Decimal

    @property
    def position(self) -> Decimal:
        return self.on_hand - self.reserved - self.waiting + self.on_order


def check(conn: Conn, ctx: Context, item_ids: Sequence[UUID]) -> list[UUID]:
    """Suggests (and, where nobody has to approve, orders) what runs low. Returns the new suggestions."""
    made = []
    for item_id in sorted(set(item_ids)):
        _settle_received(conn, ctx, item_id)
        rule = _rule(conn, ctx, item_id)
        if rule is None:
            continue
        position = position_of(conn, ctx, item_id)
        _tell_sales(conn, ctx, rule, position)
        suggestion = _suggest(conn, ctx, rule, position)
        if suggestion is not None:
            made.append(suggestion)
    return made


def position_of(conn: Conn, ctx: Context, item_id: UUID) -> Position:
    """Only looked at: nothing is written."""
    a = orders.availability(conn, ctx.site_id, item_id, ctx.now)
    return Position(
        a.on_hand,
        a.reserved,
        a.waiting,
        _on_order(conn, ctx, item_id, sum((i.quantity for i in a.incoming), ZERO)),
        a.promiseable,
    )


def _on_order(conn: Conn, ctx: Context, item_id: UUID, announced: Decimal) -> Decimal:
    """Open at suppliers: what the ERP says is open, and what we ordered that it has not shown yet. A delivery notice
    announces the same goods, so the larger of the two counts, never both."""
    open_at_erp = erp.open_purchases(conn, ctx.site_id, item_id)
    numbers = {p.number for p in open_at_erp}
    total = sum((p.open_quantity for p in open_at_erp), ZERO)
    total += sum((s.quantity for s in _ordered(conn, ctx, item_id) if s.erp_number not in numbers), ZERO)
    return max(total, announced)


def _settle_received(conn: Conn, ctx: Context, item_id: UUID) -> None:
    """What we ordered and the ERP shows with nothing open any more has come."""
    open_at_erp: dict[str | None, Decimal] = {}
    for p in erp.open_purchases(conn, ctx.site_id, item_id):
        open_at_erp[p.number] = open_at_erp.get(p.number, ZERO) + p.open_quantity
    for ours in _ordered(conn, ctx, item_id):
        if ours.erp_number is not None and open_at_erp.get(ours.erp_number) == 0:
            _set_state(conn, ctx, ours.id, "received")


@dataclass(frozen=True)
class _Ordered:
    id: UUID
    quantity: Decimal
    erp_number: str | None


def _ordered(conn: Conn, ctx: Context, item_id: UUID) -> list[_Ordered]:
    with conn.cursor(row_factory=class_row(_Ordered)) as cur:
        return cur.execute(
            """select id, quantity, erp_number from purchase_suggestion
               where site_id = %s and item_id = %s and state in ('approved', 'ordered')""",
            [ctx.site_id, item_id],
        ).fetchall()


def _tell_sales(conn: Conn, ctx: Context, rule: Rule, position: Position) -> None:
    """Stop below the safety stock, go on at the reorder point: between the two nothing is said."""
    if rule.recommendable and position.promiseable < rule.safety_stock:
        type_, recommendable = "item.stop_recommending", False
    elif not rule.recommendable and position.promiseable >= rule.reorder_point:
        type_, recommendable = "item.back_in_stock", True
    else:
        return
    conn.execute(
        "update reorder_rule set recommendable = %s where site_id = %s and item_id = %s",
        [recommendable, ctx.site_id, rule.item_id],
    )
    webhooks.emit(conn, ctx, type_, rule.sku, {
        "sku": rule.sku, "name": rule.name, "promiseable": format(position.promiseable.normalize(), "f"), "unit": rule.unit,
        "incoming": format(position.on_order.normalize(), "f"),
    })  # fmt: skip
    announce(conn, ctx.site_id, "replenishment", rule.item_id)


def _suggest(conn: Conn, ctx: Context, rule: Rule, position: Position) -> UUID | None:
    if position.position >= rule.reorder_point:
        return None
    offer = best_offer(conn, rule)
    need = rule.target_level - position.position
    quantity = order_quantity(need, offer, rule.quantity_decimals)
    reason = {
        "on_hand": str(position.on_hand), "reserved": str(position.reserved), "waiting": str(position.waiting),
        "on_order": str(position.on_order), "position": str(position.position), "reorder_point": str(rule.reorder_point),
        "target_level": str(rule.target_level), "need": str(need),
        "supplier": offer.supplier_name if offer else None, "lead_time_d": offer.lead_time_d if offer else None,
        "min_order_qty": str(offer.min_order_qty) if offer else None, "pack_multiple": str(offer.pack_multiple) if offer else None,
    }  # fmt: skip
    row = conn.execute(
        """insert into purchase_suggestion (site_id, id, item_id, supplier_id, quantity, unit_price, currency, wanted_on, reason, state)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'proposed')
           on conflict (site_id, item_id) where state in ('proposed', 'approved', 'refused')
           do update set quantity = excluded.quantity, supplier_id = excluded.supplier_id, unit_price = excluded.unit_price,
                         currency = excluded.currency, wanted_on = excluded.wanted_on, reason = excluded.reason
           where purchase_suggestion.state = 'proposed'
           returning id, xmax = 0""",
        [ctx.site_id, new_id(), rule.item_id, offer.supplier_id if offer else None, quantity, offer.unit_price if offer else None,
         offer.currency if offer else None, (ctx.now + timedelta(days=offer.lead_time_d)).date() if offer else None, Jsonb(reason)],
    ).fetchone()  # fmt: skip
    if row is None:
        return None
    suggestion_id = UUID(str(row[0]))
    announce(conn, ctx.site_id, "replenishment", suggestion_id)
    if offer is not None and quantity * offer.unit_price <= rule.approve_above:
        approve(conn, ctx, suggestion_id)
    return suggestion_id if row[1] else None


def best_offer(conn: Conn, rule: Rule) -> Offer | None:
    """The rule's supplier, else the preferred one, else the cheapest, else the fastest."""
    with conn.cursor(row_factory=class_row(Offer)) as cur:
        return cur.execute(
            """select s.supplier_id, p.name as supplier_name, s.unit_price, s.currency, s.lead_time_d, s.min_order_qty, s.pack_multiple, s.preferred
               from supplier_item s join partner p on p.id = s.supplier_id
               where s.item_id = %s and (%s::uuid is null or s.supplier_id = %s)
               order by s.preferred desc, s.unit_price, s.lead_time_d, p.code limit 1""",
            [rule.item_id, rule.supplier_id, rule.supplier_id],
        ).fetchone()


def order_quantity(need: Decimal, offer: Offer | None, decimals: int) -> Decimal:
    """At least the need and the minimum order, rounded up to whole packs."""
    if offer is None:
        return need.quantize(Decimal(1).scaleb(-decimals), ROUND_CEILING)
    packs = (max(need, offer.min_order_qty) / offer.pack_multiple).to_integral_value(ROUND_CEILING)
    return packs * offer.pack_multiple


# --- decisions of people and answers of the ERP -----------------------------------------------------------


def approve(conn: Conn, ctx: Context, suggestion_id: UUID, quantity: Decimal | None = None) -> None:
    """Orders it: the purchase order appears in the ERP. Raises Conflict when it was decided already."""
    s = _locked(conn, ctx, suggestion_id, ("proposed", "refused"))
    if s.supplier_id is None:
        raise Conflict(
            "Nobody sells this to us; add a supplier's price first (PUT /api/v1/supplier-items).",
            field="supplier_id",
        )
    conn.execute(
        """update purchase_suggestion set state = 'approved', quantity = coalesce(%s, quantity), decided_at = clock_timestamp(),
                  decided_by = %s, words = null where site_id = %s and id = %s""",
        [quantity, ctx.actor, ctx.site_id, suggestion_id],
    )
    erp.request_purchase(conn, ctx, suggestion_id, supplier_id=s.supplier_id, item_id=s.item_id, quantity=quantity or s.quantity,
                         unit_price=s.unit_price, wanted_on=s.wanted_on)  # fmt: skip
    announce(conn, ctx.site_id, "replenishment", suggestion_id)


def reject(conn: Conn, ctx: Context, suggestion_id: UUID, words: str) -> None:
    """No order. The need is suggested again when stock changes again."""
    _locked(conn, ctx, suggestion_id, ("proposed", "refused"))
    conn.execute(
        """update purchase_suggestion set state = 'rejected', decided_at = clock_timestamp(), decided_by = %s, words = %s
           where site_id = %s and id = %s""",
        [ctx.actor, words, ctx.site_id, suggestion_id],
    )
    announce(conn, ctx.site_id, "replenishment", suggestion_id)


def purchase_made(conn: Conn, ctx: Context, suggestion_id: UUID, number: str) -> None:
    """The ERP has the purchase, under this number."""
    conn.execute(
        "update purchase_suggestion set erp_number = %s where site_id = %s and id = %s",
        [number, ctx.site_id, suggestion_id],
    )
    _set_state(conn, ctx, suggestion_id, "ordered")


def purchase_refused(conn: Conn, ctx: Context, suggestion_id: UUID, words: str) -> None:
    """The ERP says no, in these words; a person decides."""
    conn.execute(
        "update purchase_suggestion set words = %s where site_id = %s and id = %s",
        [words, ctx.site_id, suggestion_id],
    )
    _set_state(conn, ctx, suggestion_id, "refused")


@dataclass(frozen=True)
class _Suggestion:
    item_id: UUID
    supplier_id: UUID | None
    quantity: Decimal
    unit_price: Decimal | None
    wanted_on: date | None
    state: str


def _locked(conn: Conn, ctx: Context, suggestion_id: UUID, states: tuple[str, ...]) -> _Suggestion:
    with conn.cursor(row_factory=class_row(_Suggestion)) as cur:
        row = cur.execute(
            "select item_id, supplier_id, quantity, unit_price, wanted_on, state from purchase_suggestion where site_id = %s and id = %s for update",
            [ctx.site_id, suggestion_id],
        ).fetchone()
    if row is None:
        raise NotFound("There is no such suggestion at this site.")
    if row.state not in states:
        raise Conflict(f"This suggestion is {row.state} already.")
    return row


def _set_state(conn: Conn, ctx: Context, suggestion_id: UUID, state: str) -> None:
    conn.execute(
        "update purchase_suggestion set state = %s where site_id = %s and id = %s",
        [state, ctx.site_id, suggestion_id],
    )
    announce(conn, ctx.site_id, "replenishment", suggestion_id)


def _rule(conn: Conn, ctx: Context, item_id: UUID) -> Rule | None:
    """Locked: two checks of one item go one after the other."""
    with conn.cursor(row_factory=class_row(Rule)) as cur:
        return cur.execute(
            """select r.item_id, i.sku, i.name, i.base_unit as unit, i.quantity_decimals, r.reorder_point, r.target_level, r.safety_stock,
                      r.supplier_id, r.approve_above, r.recommendable
               from reorder_rule r join item i on i.id = r.item_id
               where r.site_id = %s and r.item_id = %s and r.active and i.active for update of r""",
            [ctx.site_id, item_id],
        ).fetchone()
