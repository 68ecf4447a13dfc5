"""`erp_lines_per_s`: a burst of 1,000 movements of a busy hour, from the ledger into a real Tryton.

Receipts, putaways into the cold room, counts, and 125 customer orders of four lines, over 200 items. The clock runs
from the first round of the outbox to the last posted line; making the sales in Tryton is not part of it. At the end
Tryton's stock is compared with the ledger's.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from backend import ledger
from backend.catalog import create_site
from backend.context import Context
from backend.db import Conn, connect
from backend.ids import new_id
from backend.integration.erp import imports, orders, reconcile
from backend.integration.erp.connect import connect as connect_erp
from backend.integration.erp.connector import NewLine, NewOrder
from backend.integration.erp.send import send_round
from backend.integration.erp.tryton import TrytonConnector
from backend.migrate import migrate
from stowage.parts.postgres import EmbeddedPostgres
from stowage.parts.tryton import Tryton

ITEMS = 200
MUST = 15


def make_items(erp: TrytonConnector) -> list[str]:
    (like,) = list(
        erp._search("product.template", [("code", "=", "PACK-TAPE-66")], ["default_uom", "account_category"])
    )
    codes = [f"BENCH-{n:03}" for n in range(ITEMS)]
    for start in range(0, ITEMS, 20):
        erp._rpc.call(
            "model.product.template.create",
            [
                {"name": code, "code": code, "type": "goods", "default_uom": like["default_uom"], "salable": True,
                 "sale_uom": like["default_uom"], "purchasable": True, "purchase_uom": like["default_uom"],
                 "account_category": like["account_category"], "list_price": Decimal(5), "products": [("create", [{"cost_price": Decimal(2)}])]}
                for code in codes[start : start + 20]
            ],
        )  # fmt: skip
    return codes


def measure() -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="stowage-bench-") as folder:
        server = Tryton(Path(folder))
        server.start()
        try:
            with EmbeddedPostgres(Path(folder) / "postgres" / "data", durable=False) as url:
                migrate(url)
                with connect(url, autocommit=True) as conn:
                    yield burst(conn, server)
        finally:
            server.stop()


def burst(conn: Conn, server: Tryton) -> dict[str, Any]:
    erp = connect_erp(server.url)
    assert isinstance(erp, TrytonConnector)
    codes = make_items(erp)
    with conn.transaction():
        site_id = create_site(conn, code="BENCH", name="Bench")
        for code, location in (("A-01", "STO"), ("C-01", "COLD")):
            conn.execute(
                "insert into place (id, site_id, code, kind, erp_location) values (%s, %s, %s, 'bin', %s)",
                [new_id(), site_id, code, location],
            )
    ctx = Context("user:bench", site_id, datetime.now(UTC), "bench")
    imports.import_items(conn, erp, ctx, imports.Tally(), ctx.now)
    places = dict(conn.execute("select code, id from place").fetchall())
    items = dict(conn.execute("select sku, id from item").fetchall())
    partners = dict(conn.execute("select code, id from partner").fetchall())
    for n in range(125):
        lines = tuple(NewLine(codes[(4 * n + k) % ITEMS], Decimal(1 + k)) for k in range(4))
        erp.create_sale(NewOrder(f"BENCH-{n}", "C-WEB", lines))
    orders.poll(conn, erp, datetime.now(UTC))
    sales = conn.execute("select id from sales_order order by number").fetchall()

    def move(
        code: str, quantity: int, source: str, target: str, cause: str, cause_id: Any, **evidence: object
    ) -> ledger.Move:
        return ledger.Move(items[code], Decimal(quantity), ledger.Spot(places[source]), ledger.Spot(places[target]), cause, cause,
                           cause_id, evidence=evidence)  # fmt: skip

    def post(moves: list[ledger.Move]) -> None:
        with conn.transaction():
            ledger.post(conn, ctx, moves)

    supplier = str(partners["S-VOLTA"])
    for n in range(20):
        receipt = new_id()
        post(
            [
                move(
                    codes[(15 * n + k) % ITEMS],
                    50,
                    "SUPPLIER",
                    "A-01",
                    "receipt",
                    receipt,
                    partner_id=supplier,
                )
                for k in range(15)
            ]
        )
    for n in range(10):
        post([move(codes[10 * n + k], 5, "A-01", "C-01", "putaway", None) for k in range(10)])
    for n in range(10):
        count = new_id()
        post([move(codes[10 * n + k], 1, "A-01", "ADJUSTMENT", "count", count) for k in range(10)])
    for n, (order_id,) in enumerate(sales):
        shipment = new_id()
        post(
            [
                move(
                    codes[(4 * n + k) % ITEMS],
                    1 + k,
                    "A-01",
                    "CUSTOMER",
                    "shipment",
                    shipment,
                    order_id=str(order_id),
                )
                for k in range(4)
            ]
        )
    row = conn.execute("select count(*) from posting").fetchone()
    assert row is not None
    assert row[0] == 1000, row
    time.sleep(2.0)  # the groups' quiet time, which is not what is measured

    start = time.monotonic()
    while not (done := send_round(conn, erp, datetime.now(UTC))).idle:
        assert done.failed is None, done.failed
    seconds = time.monotonic() - start
    states = dict(conn.execute("select state, count(*) from posting group by 1").fetchall())
    groups = conn.execute("select count(*) from posting_group").fetchone()
    drifts = [d for d in reconcile.compare(conn, erp, site_id) if d.drift]
    erp.close()
    return {
        "figure": "erp_lines_per_s",
        "value": round(1000 / seconds, 1),
        "unit": "lines/s",
        "must": MUST,
        "aim": "as Tryton allows",
        "seconds": round(seconds, 1),
        "documents": groups[0] if groups else 0,
        "posted": states.get("posted", 0),
        "drifting": len(drifts),
    }
