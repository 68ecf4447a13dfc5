"""Master data and opening stock from the ERP: made where it is missing, left alone where it is here.

An import is all or nothing by kind: the rows that cannot be taken are listed with the reason, the others are kept.
Opening stock is posted to one place per ERP location and marked as the ERP's own, so it is not sent back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from psycopg import errors as pg
from psycopg.types.json import Jsonb

from backend import ledger
from backend.context import Context, system_context
from backend.db import Conn
from backend.errors import Refused
from backend.ids import new_id
from backend.integration.erp.connector import (
    Connector,
    ErpError,
    ErpLogin,
    ErpUnreachable,
    Location,
    OnHand,
    Partner,
    Product,
)
from backend.integration.erp.orders import item_of, map_key, poll
from backend.live.announce import announce
from device_drivers.gs1 import is_valid_gtin

KINDS = ("items", "partners", "locations", "sales_orders", "purchase_orders", "opening_stock")


@dataclass
class Tally:
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    errors: list[dict[str, str]] = field(default_factory=list)

    def note(self, conn: Conn, key: str, take: Callable[[], str]) -> None:
        """One row in a savepoint of its own; `take` says created, changed or unchanged."""
        try:
            with conn.transaction():
                outcome = take()
        except (Refused, pg.IntegrityError, ValueError) as e:
            self.errors.append(
                {"key": key, "words": e.detail if isinstance(e, Refused) else str(e).splitlines()[0]}
            )
            return
        setattr(self, outcome, getattr(self, outcome) + 1)


def request(conn: Conn, ctx: Context, kind: str) -> UUID:
    import_id = new_id()
    conn.execute(
        "insert into erp_import (site_id, id, kind, requested_by) values (%s, %s, %s, %s)",
        [ctx.site_id, import_id, kind, ctx.actor],
    )
    return import_id


def run_requested(conn: Conn, erp: Connector, now: datetime) -> int:
    """Carries out what was requested; how many. Raises ErpUnreachable and ErpLogin: then it stays requested."""
    waiting = conn.execute(
        "select site_id, id, kind, requested_by from erp_import where state = 'requested' order by requested_at limit 10"
    ).fetchall()
    for site_id, import_id, kind, actor in waiting:
        ctx = system_context(actor, site_id)
        tally, words, state = Tally(), None, "done"
        try:
            IMPORTS[kind](conn, erp, ctx, tally, now)
        except (ErpUnreachable, ErpLogin):
            raise
        except ErpError as e:
            state, words = "failed", str(e)
        with conn.transaction():
            conn.execute(
                """update erp_import set state = %s, finished_at = %s, created = %s, changed = %s, unchanged = %s, errors = %s, words = %s
                   where site_id = %s and id = %s""",
                [
                    state,
                    now,
                    tally.created,
                    tally.changed,
                    tally.unchanged,
                    Jsonb(tally.errors),
                    words,
                    site_id,
                    import_id,
                ],
            )
            announce(conn, site_id, "postings", import_id)
    return len(waiting)


def import_partners(conn: Conn, erp: Connector, ctx: Context, tally: Tally, now: datetime) -> None:
    for partner in list(erp.partners()):
        tally.note(conn, partner.code, lambda partner=partner: _take_partner(conn, partner))  # type: ignore[misc]


def _take_partner(conn: Conn, partner: Partner) -> str:
    row = conn.execute("select id from partner where code = %s", [partner.code]).fetchone()
    if row is not None:
        done = conn.execute(
            """update partner set is_supplier = is_supplier or %s, is_customer = is_customer or %s, email = coalesce(email, %s)
               where id = %s and (is_supplier < %s or is_customer < %s or email is null and %s::text is not null)""",
            [
                partner.is_supplier,
                partner.is_customer,
                partner.email,
                row[0],
                partner.is_supplier,
                partner.is_customer,
                partner.email,
            ],
        )
        return "changed" if done.rowcount else "unchanged"
    conn.execute(
        "insert into partner (id, code, name, is_supplier, is_customer, email) values (%s, %s, %s, %s, %s, %s)",
        [new_id(), partner.code, partner.name, partner.is_supplier, partner.is_customer, partner.email],
    )
    return "created"


def import_items(conn: Conn, erp: Connector, ctx: Context, tally: Tally, now: datetime) -> None:
    import_partners(conn, erp, ctx, Tally(), now)
    for product in list(erp.products()):
        tally.note(conn, product.code, lambda product=product: _take_item(conn, product))  # type: ignore[misc]


def _take_item(conn: Conn, product: Product) -> str:
    row = conn.execute("select id from item where sku = %s", [product.code]).fetchone()
    item_id, outcome = (row[0], "unchanged") if row else (new_id(), "created")
    if row is None:
        unit = "each" if product.unit.lower() in ("unit", "each", "u") else product.unit.lower()
        conn.execute(
            "insert into item (id, sku, name, base_unit, tracking) values (%s, %s, %s, %s, %s)",
            [item_id, product.code, product.name, unit, "lot" if product.tracks_lots else "none"],
        )
        gtin = product.gtin.zfill(14) if product.gtin and is_valid_gtin(product.gtin) else None
        conn.execute(
            "insert into item_pack (id, item_id, name, units, gtin) values (%s, %s, %s, 1, %s)",
            [new_id(), item_id, unit, gtin],
        )
    map_key(conn, "item", item_id, product.code)
    for number, offer in enumerate(product.suppliers):
        added = conn.execute(
            """insert into supplier_item (supplier_id, item_id, unit_price, currency, lead_time_d, min_order_qty, preferred)
               select p.id, %s, %s, %s, %s, %s, %s from partner p where p.code = %s on conflict do nothing""",
            [item_id, offer.unit_price, offer.currency, offer.lead_time_d, max(offer.min_quantity, Decimal(1)), number == 0,
             offer.partner],
        ).rowcount  # fmt: skip
        if added and outcome == "unchanged":
            outcome = "changed"
    return outcome


def import_locations(conn: Conn, erp: Connector, ctx: Context, tally: Tally, now: datetime) -> None:
    """A zone for each storage location of the ERP that no place of the site points to yet."""
    for location in erp.locations():
        if location.kind == "storage":

            def take(location: Location = location) -> str:
                return _take_location(conn, ctx, location.code, location.name)

            tally.note(conn, location.code, take)


def _take_location(conn: Conn, ctx: Context, code: str, name: str) -> str:
    known = conn.execute(
        "select 1 from place where site_id = %s and erp_location = %s limit 1", [ctx.site_id, code]
    ).fetchone()
    if known is not None:
        return "unchanged"
    conn.execute(
        "insert into place (id, site_id, code, name, kind, erp_location) values (%s, %s, %s, %s, 'zone', %s)",
        [new_id(), ctx.site_id, code.replace(" ", "-"), name, code],
    )
    return "created"


def import_opening_stock(conn: Conn, erp: Connector, ctx: Context, tally: Tally, now: datetime) -> None:
    """Raises the ledger to what the ERP has, in the first place that points to each location. Never lowers it."""
    places = dict(
        conn.execute(
            """select distinct on (erp_location) erp_location, id from place
               where site_id = %s and is_physical and holds_stock and active and erp_location is not null
               order by erp_location, kind = 'zone' desc, code""",
            [ctx.site_id],
        ).fetchall()
    )
    source = ledger.virtual_place(conn, ctx.site_id, "adjustment")
    for row in list(erp.on_hand(sorted(places))):

        def take(row: OnHand = row) -> str:
            return _take_stock(conn, ctx, row.item, row.quantity, source, places[row.location], row.location)

        tally.note(conn, f"{row.item} {row.location}", take)


def _take_stock(
    conn: Conn, ctx: Context, code: str, quantity: Decimal, source: UUID, place_id: UUID, location: str
) -> str:
    item_id = item_of(conn, code)
    row = conn.execute(
        """select coalesce(sum(b.on_hand), 0) from balance b where b.item_id = %s and place_erp_location(b.place_id) = %s""",
        [item_id, location],
    ).fetchone()
    missing = quantity - (row[0] if row else Decimal(0))
    if missing <= 0:
        return "unchanged"
    tracking = conn.execute("select tracking from item where id = %s", [item_id]).fetchone()
    if tracking is None or tracking[0] != "none":
        raise Refused(f"{code} is kept by lot or serial; count it in, the ERP's sum does not say which.")
    ledger.post(conn, ctx, [ledger.Move(
        item_id, missing, ledger.Spot(source), ledger.Spot(place_id), "opening stock of the ERP", "opening",
        evidence={"erp_import": True})])  # fmt: skip
    return "created"


def import_orders(conn: Conn, erp: Connector, ctx: Context, tally: Tally, now: datetime) -> None:
    """What is open there, read again from the start; what is known already changes nothing."""
    with conn.transaction():
        conn.execute("update erp_cursor set changed_at = '2000-01-01'")
        conn.execute("update erp_seen set changed_at = '2000-01-01' where words is not null")
    before = conn.execute(
        "select count(*) from erp_seen where our_id is not null or kind = 'purchase'"
    ).fetchone()
    seen = poll(conn, erp, now)
    after = conn.execute(
        "select count(*) from erp_seen where our_id is not null or kind = 'purchase'"
    ).fetchone()
    assert before is not None
    assert after is not None
    tally.created = after[0] - before[0]
    tally.unchanged = max(0, seen - tally.created)
    tally.errors = [
        {"key": row[0], "words": row[1]}
        for row in conn.execute("select number, words from erp_seen where words is not null").fetchall()
    ]


IMPORTS: dict[str, Callable[[Conn, Connector, Context, Tally, datetime], None]] = {
    "items": import_items,
    "partners": import_partners,
    "locations": import_locations,
    "sales_orders": import_orders,
    "purchase_orders": import_orders,
    "opening_stock": import_opening_stock,
}
