"""Orders both ways. Ours become a sale or purchase in the ERP, once by reference; the ERP's come in as they change.

`request_sale` and `request_purchase` write what is wanted in the caller's transaction; `send_orders` makes it so when the
ERP can be reached. `poll` reads what changed there since last time: sales become orders to ship, purchases become what
is on order. An order that cannot be taken here is kept with the reason and tried again when it changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import structlog
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from backend import telemetry
from backend.context import Context, system_context
from backend.db import Conn
from backend.errors import Refused
from backend.ids import new_id
from backend.integration.erp.connector import (
    Connector,
    ErpError,
    ErpLogin,
    ErpRefused,
    ErpUnreachable,
    NewLine,
    NewOrder,
    Order,
)
from backend.live.announce import announce

log = structlog.get_logger(__name__)

EXTERNAL_KIND = {"sale": "sales_order", "purchase": "purchase_order"}
OVERDUE_AFTER = timedelta(days=1)
"""When an order of the ERP names no day, it is due so long after it was seen."""


@dataclass(frozen=True)
class WantedLine:
    item_id: UUID
    quantity: Decimal
    unit_price: Decimal | None = None


def request_sale(
    conn: Conn, ctx: Context, order_id: UUID, *, reference: str, customer_id: UUID, lines: Sequence[WantedLine],
    wanted_on: date | None = None, comment: str = "",
) -> None:  # fmt: skip
    """Our sales order is to become a sale. Asking twice is asking once."""
    _request(conn, ctx, "sale", order_id, reference, customer_id, lines, wanted_on, comment)


def request_purchase(
    conn: Conn, ctx: Context, purchase_id: UUID, *, supplier_id: UUID, item_id: UUID, quantity: Decimal,
    unit_price: Decimal | None = None, wanted_on: date | None = None,
) -> None:  # fmt: skip
    """What was approved is to become a confirmed purchase; `replenishment.purchase_made` or `purchase_refused` answers.

    Asking twice is asking once; asking again after a refusal is a new try."""
    reference = f"PO-{purchase_id.hex[:8]}-{purchase_id.hex[-8:]}"
    _request(
        conn,
        ctx,
        "purchase",
        purchase_id,
        reference,
        supplier_id,
        [WantedLine(item_id, quantity, unit_price)],
        wanted_on,
        "",
    )


@dataclass(frozen=True)
class OpenPurchase:
    erp_id: str
    number: str
    supplier_id: UUID | None
    ordered: Decimal
    open_quantity: Decimal
    wanted_on: date | None


def open_purchases(conn: Conn, site_id: UUID, item_id: UUID) -> list[OpenPurchase]:
    """The ERP's purchases of an item as last seen, what is received in full with nothing open; nothing cancelled."""
    with conn.cursor(row_factory=class_row(OpenPurchase)) as cur:
        return cur.execute(
            """select erp_id, number, supplier_id, ordered, open_quantity, wanted_on from erp_purchase_line
               where item_id = %s and state in ('confirmed', 'done') order by wanted_on nulls last, erp_id""",
            [item_id],
        ).fetchall()


def _request(
    conn: Conn, ctx: Context, kind: str, our_id: UUID, reference: str, partner_id: UUID, lines: Sequence[WantedLine],
    wanted_on: date | None, comment: str,
) -> None:  # fmt: skip
    conn.execute(
        """insert into erp_order (site_id, id, kind, our_id, reference, partner_id, wanted_on, comment, lines)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
           on conflict on constraint erp_order_once do update set state = 'waiting', partner_id = excluded.partner_id,
               wanted_on = excluded.wanted_on, lines = excluded.lines, next_try_at = clock_timestamp()
           where erp_order.state = 'parked'""",
        [ctx.site_id, new_id(), kind, our_id, reference, partner_id, wanted_on, comment,
         Jsonb([{"item_id": str(x.item_id), "quantity": str(x.quantity),
                 "unit_price": None if x.unit_price is None else str(x.unit_price)} for x in lines])],
    )  # fmt: skip


def retry_order(conn: Conn, site_id: UUID, request_id: UUID, now: datetime) -> bool:
    """A person says: again, now. False when it is made already."""
    conn.execute("update erp_connection set next_try_at = %s where next_try_at > %s", [now, now])
    return bool(conn.execute(
        "update erp_order set state = 'waiting', next_try_at = %s where site_id = %s and id = %s and state <> 'done'",
        [now, site_id, request_id],
    ).rowcount)  # fmt: skip


@dataclass(frozen=True)
class Outgoing:
    site_id: UUID
    id: UUID
    kind: str
    our_id: UUID
    reference: str
    partner: str
    wanted_on: date | None
    comment: str
    lines: list[dict[str, Any]]
    attempts: int


def send_orders(conn: Conn, erp: Connector, now: datetime) -> int:
    """Makes the sales and purchases that are waiting; how many were made. Raises ErpUnreachable and ErpLogin."""
    with conn.cursor(row_factory=class_row(Outgoing)) as cur:
        waiting = cur.execute(
            """select o.site_id, o.id, o.kind, o.our_id, o.reference, coalesce(k.their_key, p.code) as partner, o.wanted_on, o.comment,
                      o.lines, o.attempts
               from erp_order o join partner p on p.id = o.partner_id
               left join external_key k on k.system = 'erp' and k.kind = 'partner' and k.our_id = p.id
               where o.state = 'waiting' and o.next_try_at <= %s order by o.created_at limit 50""",
            [now],
        ).fetchall()
    made = 0
    for order in waiting:
        try:
            create = erp.create_sale if order.kind == "sale" else erp.create_purchase
            posted = create(_document(conn, order))
        except (ErpUnreachable, ErpLogin) as e:
            _note(conn, order, e, "waiting", now)
            raise
        except ErpRefused as e:
            _note(conn, order, e, "parked", now)
        except ErpError as e:
            _note(conn, order, e, "waiting", now)
        else:
            with conn.transaction():
                _made(conn, order, posted.id, posted.number, now)
            made += 1
    return made


def _document(conn: Conn, order: Outgoing) -> NewOrder:
    keys = {
        row[0]: row[1]
        for row in conn.execute(
            """select i.id, coalesce(k.their_key, i.sku) from item i
               left join external_key k on k.system = 'erp' and k.kind = 'item' and k.our_id = i.id where i.id = any(%s)""",
            [[UUID(line["item_id"]) for line in order.lines]],
        ).fetchall()
    }
    lines = tuple(
        NewLine(keys[UUID(line["item_id"])], Decimal(line["quantity"]),
                None if line["unit_price"] is None else Decimal(line["unit_price"]))
        for line in order.lines
    )  # fmt: skip
    return NewOrder(order.reference, order.partner, lines, order.wanted_on, order.comment)


def _note(conn: Conn, order: Outgoing, error: ErpError, state: str, now: datetime) -> None:
    log.warning(
        "erp_order_failed", kind=order.kind, reference=order.reference, problem=error.kind, words=str(error)
    )
    with conn.transaction():
        conn.execute(
            """update erp_order set state = %s, attempts = attempts + 1, problem = %s, words = %s, next_try_at = %s
               where site_id = %s and id = %s""",
            [
                state,
                error.kind,
                str(error),
                now + timedelta(seconds=min(2 ** min(order.attempts, 8), 300)),
                order.site_id,
                order.id,
            ],
        )
        if state == "parked" and order.kind == "purchase":
            from backend import replenishment

            replenishment.purchase_refused(
                conn, system_context("erp", order.site_id), order.our_id, str(error)
            )
        announce(conn, order.site_id, "postings", order.id)


def _made(conn: Conn, order: Outgoing, erp_id: str, number: str, now: datetime) -> None:
    conn.execute(
        """update erp_order set state = 'done', erp_id = %s, erp_number = %s, settled_at = %s, problem = null, words = null
           where site_id = %s and id = %s""",
        [erp_id, number, now, order.site_id, order.id],
    )
    conn.execute(
        """insert into erp_seen (kind, erp_id, number, reference, changed_at, state, site_id, our_id)
           values (%s, %s, %s, %s, %s, 'confirmed', %s, %s)
           on conflict (kind, erp_id) do update set site_id = excluded.site_id, our_id = excluded.our_id, words = null""",
        [
            order.kind,
            erp_id,
            number,
            order.reference,
            datetime(2000, 1, 1, tzinfo=UTC),
            order.site_id,
            order.our_id,
        ],
    )
    map_key(conn, EXTERNAL_KIND[order.kind], order.our_id, erp_id)
    ctx = system_context("erp", order.site_id)
    if order.kind == "sale":
        from backend import orders  # it asks us for sales, so it is imported where it is told

        orders.set_erp_reference(conn, ctx, order.our_id, erp_id, number)
    else:
        from backend import replenishment

        replenishment.purchase_made(conn, ctx, order.our_id, number)
    announce(conn, order.site_id, "postings", order.id)


def map_key(conn: Conn, kind: str, our_id: UUID, their_key: str) -> None:
    conn.execute(
        """insert into external_key (system, kind, our_id, their_key) values ('erp', %s, %s, %s) on conflict do nothing""",
        [kind, our_id, their_key],
    )


# --- what comes in ---------------------------------------------------------------------------------------------------


def poll(conn: Conn, erp: Connector, now: datetime) -> int:
    """Reads sales and purchases that changed; how many were new or different. Raises ErpUnreachable, ErpBusy, ErpLogin."""
    changed = 0
    takers: dict[str, Callable[[Conn, Order, datetime], None]] = {
        "sale": _take_sale,
        "purchase": _take_purchase,
    }
    for kind, changed_since in (("purchase", erp.purchases_changed_since), ("sale", erp.sales_changed_since)):
        row = conn.execute("select changed_at from erp_cursor where kind = %s", [kind]).fetchone()
        for order in changed_since(row[0] if row else None):
            known = conn.execute(
                "select changed_at, state from erp_seen where kind = %s and erp_id = %s", [kind, order.id]
            ).fetchone()
            if known is None or known[0] != order.changed_at or known[1] != order.state or kind == "purchase":
                with conn.transaction():
                    takers[kind](conn, order, now)
                changed += known is None or known[0] != order.changed_at
            conn.execute(
                """insert into erp_cursor (kind, changed_at) values (%s, %s)
                   on conflict (kind) do update set changed_at = greatest(erp_cursor.changed_at, excluded.changed_at)""",
                [kind, order.changed_at],
            )
    return changed


def _seen(
    conn: Conn, kind: str, order: Order, site_id: UUID | None, our_id: UUID | None, words: str | None
) -> None:
    conn.execute(
        """insert into erp_seen (kind, erp_id, number, reference, changed_at, state, site_id, our_id, words)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
           on conflict (kind, erp_id) do update set number = excluded.number, reference = excluded.reference,
               changed_at = excluded.changed_at, state = excluded.state, site_id = coalesce(erp_seen.site_id, excluded.site_id),
               our_id = coalesce(erp_seen.our_id, excluded.our_id), words = excluded.words, seen_at = clock_timestamp()""",
        [
            kind,
            order.id,
            order.number,
            order.reference,
            order.changed_at,
            order.state,
            site_id,
            our_id,
            words,
        ],
    )


def _take_sale(conn: Conn, order: Order, now: datetime) -> None:
    from backend import orders

    ours = conn.execute(
        """select site_id, our_id from erp_seen where kind = 'sale' and erp_id = %s and our_id is not null
           union all select site_id, our_id from erp_order where kind = 'sale' and reference = %s and reference <> ''""",
        [order.id, order.reference],
    ).fetchone()
    site_id: UUID | None = ours[0] if ours else default_site(conn)
    our_id: UUID | None = ours[1] if ours else None
    words = None
    taken: dict[str, list[str]] | None = None
    try:
        with conn.transaction():
            if site_id is None:
                pass
            elif our_id is not None and order.state == "cancelled":
                orders.cancel(
                    conn,
                    system_context("erp", site_id),
                    our_id,
                    f"cancelled in the ERP (sale {order.number})",
                )
            elif our_id is None and order.state == "confirmed":
                new = orders.NewOrder(
                    source="erp", external_number=order.number, customer_id=partner_of(conn, order, is_customer=True),
                    due_at=_due(order.wanted_on, now), note=order.reference, erp_id=order.id, erp_number=order.number,
                    lines=[orders.NewLine(item_of(conn, line.item), line.open_quantity, None, line.id)
                           for line in order.lines if line.open_quantity > 0])  # fmt: skip
                if new.lines:
                    our_id = orders.accept(conn, system_context("erp", site_id), new).id
                    map_key(conn, "sales_order", our_id, order.id)
                    taken = {line.id: [str(line.quantity), str(line.open_quantity)] for line in order.lines}
    except Refused as refused:
        words = refused.detail
        log.warning("erp_sale_not_taken", number=order.number, words=words)
    if our_id is not None and site_id is not None and taken is None:
        words = _changed_there(conn, order, site_id, our_id, words)
    _seen(conn, "sale", order, site_id, our_id, words)
    if taken is not None:
        conn.execute(
            "update erp_seen set taken = %s where kind = 'sale' and erp_id = %s", [Jsonb(taken), order.id]
        )


def _changed_there(conn: Conn, order: Order, site_id: UUID, our_id: UUID, refused: str | None) -> str | None:
    """A sale that we have and that the ERP changed: never silently ignored, an alert says what a person must decide."""
    from backend import orders

    ours = orders.order(conn, site_id, our_id)
    ctx = system_context("erp", site_id)
    what: list[str] = []
    if refused is not None:
        what.append(f"was cancelled there, but here it cannot be: {refused}")
    elif order.state == "draft":
        what.append("was taken back to a draft there; here it goes on")
    elif order.state == "confirmed" and ours.state != "cancelled":
        row = conn.execute(
            "select taken from erp_seen where kind = 'sale' and erp_id = %s", [order.id]
        ).fetchone()
        taken = {key: (Decimal(a), Decimal(b)) for key, (a, b) in row[0].items()} if row else {}
        here = {line.external_id: line for line in ours.lines}
        for line in order.lines if taken else ():
            then, open_then = taken.get(line.id, (Decimal(0), Decimal(0)))
            now_here = here[line.id].quantity if line.id in here else Decimal(0)
            if line.quantity - then != now_here - open_then:
                what.append(f"{line.item}: {then.normalize():f} became {line.quantity.normalize():f} there")
        what += [f"{here[key].sku}: was taken off there" for key in taken if key in here and here[key].quantity
                 and key not in {line.id for line in order.lines}]  # fmt: skip
    if not what:
        telemetry.close_alert(conn, ctx, "erp_sale_changed", order.id)
        return refused
    words = f"The ERP's sale {order.number} ({ours.number} here) {'; '.join(what)}."
    advice = " Change or cancel the order here, or put it right in the ERP; then acknowledge this."
    telemetry.open_alert(conn, ctx, "erp_sale_changed", order.id, words + advice,
                         data={"order_id": str(our_id), "number": ours.number, "erp_number": order.number})  # fmt: skip
    log.warning("erp_sale_changed", number=order.number, words=words)
    return words


def _take_purchase(conn: Conn, order: Order, now: datetime) -> None:
    conn.execute("delete from erp_purchase_line where erp_id = %s", [order.id])
    words = None
    try:
        with conn.transaction():
            supplier_id = partner_of(conn, order, is_supplier=True)
            for line in order.lines:
                conn.execute(
                    """insert into erp_purchase_line (erp_id, line_id, number, supplier_id, item_id, ordered, open_quantity, unit_price,
                                                      currency, wanted_on, state)
                       values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
                    [order.id, line.id, order.number, supplier_id, item_of(conn, line.item), line.quantity,
                     line.open_quantity if order.state == "confirmed" else 0, line.unit_price, order.currency, order.wanted_on,
                     order.state],
                )  # fmt: skip
    except Refused as refused:
        words = refused.detail
        log.warning("erp_purchase_not_taken", number=order.number, words=words)
    _seen(conn, "purchase", order, None, None, words)


def default_site(conn: Conn) -> UUID | None:
    """Where the ERP's orders are shipped from: the first site that has places the ERP knows."""
    row = conn.execute(
        """select s.id from site s order by exists (select 1 from place p where p.site_id = s.id and p.is_physical
               and p.erp_location is not null) desc, s.created_at limit 1"""
    ).fetchone()
    return None if row is None else UUID(str(row[0]))


def item_of(conn: Conn, code: str) -> UUID:
    """Ours by the ERP's code. Raises Refused."""
    row = conn.execute(
        """select our_id from external_key where system = 'erp' and kind = 'item' and their_key = %s
           union all select id from item where sku = %s limit 1""",
        [code, code],
    ).fetchone()
    if row is None:
        raise Refused(f"There is no item {code} here; import items from the ERP, or map its key.")
    return UUID(str(row[0]))


def partner_of(conn: Conn, order: Order, *, is_supplier: bool = False, is_customer: bool = False) -> UUID:
    """Ours by the ERP's code; a partner seen for the first time is made."""
    row = conn.execute(
        """select our_id from external_key where system = 'erp' and kind = 'partner' and their_key = %s
           union all select id from partner where code = %s limit 1""",
        [order.partner, order.partner],
    ).fetchone()
    if row is not None:
        conn.execute(
            """update partner set is_supplier = is_supplier or %s, is_customer = is_customer or %s
               where id = %s and (not is_supplier and %s or not is_customer and %s)""",
            [is_supplier, is_customer, row[0], is_supplier, is_customer],
        )
        return UUID(str(row[0]))
    partner_id = new_id()
    conn.execute(
        "insert into partner (id, code, name, is_supplier, is_customer) values (%s, %s, %s, %s, %s)",
        [partner_id, order.partner, order.partner_name or order.partner, is_supplier, is_customer],
    )
    return partner_id


def _due(wanted_on: date | None, now: datetime) -> datetime:
    return now + OVERDUE_AFTER if wanted_on is None else datetime.combine(wanted_on, time(16), tzinfo=UTC)
