"""Does the ERP believe what we believe? On hand by item and ERP location, with what it has still to hear of set aside.

    drift = what the ERP says + what is not posted yet - what our ledger says

Run by the process that posts, between two rounds, so that nothing is posted while it compares.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from backend import telemetry
from backend.context import Context, system_context
from backend.db import Conn
from backend.ids import new_id
from backend.integration.erp.connector import Connector, ErpError
from backend.live.announce import announce

ZERO = Decimal(0)


@dataclass(frozen=True)
class Drift:
    sku: str
    location: str
    item_id: UUID | None
    ours: Decimal
    not_yet_posted: Decimal
    theirs: Decimal

    @property
    def drift(self) -> Decimal:
        return self.theirs + self.not_yet_posted - self.ours


def request(conn: Conn, ctx: Context) -> UUID:
    """Compare soon; the same request while one is waiting is that one."""
    row = conn.execute(
        "select id from erp_reconciliation where site_id = %s and state = 'requested' limit 1", [ctx.site_id]
    ).fetchone()
    if row is not None:
        return UUID(str(row[0]))
    reconciliation_id = new_id()
    conn.execute(
        "insert into erp_reconciliation (site_id, id, requested_by) values (%s, %s, %s)",
        [ctx.site_id, reconciliation_id, ctx.actor],
    )
    return reconciliation_id


def compare(conn: Conn, erp: Connector, site_id: UUID) -> list[Drift]:
    """Every item and location where either side has something or drifts. Raises ErpError."""
    with conn.transaction():
        conn.execute("set transaction isolation level repeatable read, read only")
        locations = [
            row[0]
            for row in conn.execute(
                """select distinct erp_location from place p where site_id = %s and erp_location is not null and (is_physical or
                   (kind = 'in_transit' and exists (select 1 from movement m where m.site_id = p.site_id and m.to_place_id = p.id)))""",
                [site_id],
            ).fetchall()
        ]
        # an ERP location may be shared by sites, so all sites' stock in it counts
        ours = _sums(conn, """
            select b.item_id, x.erp_location, sum(b.on_hand) from balance b
            cross join lateral (select place_erp_location(b.place_id) as erp_location) x
            where b.on_hand <> 0 and x.erp_location = any(%s) group by 1, 2""", locations)  # fmt: skip
        for key, on_its_way in _sums(conn, """
            select item_id, location, sum(quantity) from (
                select m.item_id, m.erp_to as location, m.quantity from movement m
                join place p on p.id = m.to_place_id and p.kind = 'in_transit'
                union all
                select m.item_id, m.erp_from, -m.quantity from movement m
                join place p on p.id = m.from_place_id and p.kind = 'in_transit') both_ends
            where location = any(%s) group by 1, 2 having sum(quantity) <> 0""", locations).items():  # fmt: skip
            ours[key] = ours.get(key, ZERO) + on_its_way
        unposted = _sums(conn, """
            select item_id, location, sum(quantity) from (
                select m.item_id, m.erp_to as location, m.quantity from posting p
                join movement m on m.site_id = p.site_id and m.id = p.id where p.state <> 'posted'
                union all
                select m.item_id, m.erp_from, -m.quantity from posting p
                join movement m on m.site_id = p.site_id and m.id = p.id where p.state <> 'posted') both_ends
            where location = any(%s) group by 1, 2""", locations)  # fmt: skip
        rows = conn.execute(
            """select i.id, coalesce(k.their_key, i.sku) from item i
               left join external_key k on k.system = 'erp' and k.kind = 'item' and k.our_id = i.id"""
        ).fetchall()
    code_of: dict[UUID | None, str] = {UUID(str(r[0])): str(r[1]) for r in rows}
    item_of = {code: item_id for item_id, code in code_of.items()}
    theirs: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in erp.on_hand(locations):
        theirs[(row.item, row.location)] += row.quantity
    keys = set(theirs) | {(code_of[i], location) for i, location in {*ours, *unposted}}
    found = []
    for code, location in sorted(keys):
        item_id = item_of.get(code)
        mine = (item_id, location)
        found.append(
            Drift(
                code,
                location,
                item_id,
                ours.get(mine, ZERO),
                unposted.get(mine, ZERO),
                theirs.get((code, location), ZERO),
            )
        )
    return found


def _sums(conn: Conn, query: str, locations: list[str]) -> dict[tuple[UUID | None, str], Decimal]:
    return {(row[0], row[1]): row[2] for row in conn.execute(query.encode(), [locations]).fetchall()}


def run_requested(conn: Conn, erp: Connector, now: datetime) -> int:
    """Carries out what was requested; how many. A comparison that fails says why and is not repeated by itself."""
    waiting = conn.execute(
        "select site_id, id from erp_reconciliation where state = 'requested' order by requested_at limit 10"
    ).fetchall()
    for site_id, reconciliation_id in waiting:
        try:
            found = compare(conn, erp, site_id)
        except ErpError as e:
            with conn.transaction():
                conn.execute(
                    "update erp_reconciliation set state = 'failed', finished_at = %s, words = %s where site_id = %s and id = %s",
                    [now, str(e), site_id, reconciliation_id],
                )
                announce(conn, site_id, "postings", reconciliation_id)
            continue
        drifting = [d for d in found if d.drift]
        with conn.transaction():
            with conn.cursor() as cur:
                cur.executemany(
                    """insert into erp_drift (site_id, reconciliation_id, sku, location, item_id, ours, not_yet_posted, theirs, drift)
                       values (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
                    [[site_id, reconciliation_id, d.sku, d.location, d.item_id, d.ours, d.not_yet_posted, d.theirs, d.drift]
                     for d in drifting],
                )  # fmt: skip
            conn.execute(
                """update erp_reconciliation set state = 'done', finished_at = %s, compared = %s, drifting = %s
                   where site_id = %s and id = %s""",
                [now, len(found), len(drifting), site_id, reconciliation_id],
            )
            _alarm(conn, site_id, drifting)
            announce(conn, site_id, "postings", reconciliation_id)
    return len(waiting)


def _alarm(conn: Conn, site_id: UUID, drifting: list[Drift]) -> None:
    ctx = system_context("job:erp_reconcile", site_id)
    if not drifting:
        telemetry.close_alert(conn, ctx, "erp_drift", "erp")
        return
    worst = max(drifting, key=lambda d: abs(d.drift))
    telemetry.open_alert(
        conn, ctx, "erp_drift", "erp",
        f"The ERP and the ledger differ in {len(drifting)} places; most in {worst.sku} at {worst.location}, by {worst.drift.normalize():+f}.",
        data={"drifting": len(drifting), "sku": worst.sku, "location": worst.location},
    )  # fmt: skip
