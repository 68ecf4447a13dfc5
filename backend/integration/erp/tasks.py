"""Jobs of the ERP slice: an order of ours asks for its sale, and the nightly reconciliation."""

from __future__ import annotations

from uuid import UUID

from backend import jobs
from backend.context import system_context
from backend.db import Conn
from backend.integration.erp import reconcile
from backend.integration.erp.orders import WantedLine, request_sale


@jobs.task("erp_create_sale", what="Writing a sale to the ERP")
def erp_create_sale(conn: Conn, site_id: str, order_id: str, correlation_id: str) -> None:
    from backend import orders  # it defers this job, so it is imported when the job runs

    ctx = system_context("job:erp_create_sale", UUID(site_id), correlation_id)
    order = orders.order(conn, ctx.site_id, UUID(order_id))
    if order.erp_id is None:
        # our numbers begin anew with a new database, the ERP's memory does not
        request_sale(
            conn, ctx, order.id, reference=f"{order.number} {order.id.hex[-8:]}", customer_id=order.customer_id, wanted_on=order.due_at.date(),
            comment=order.note, lines=[WantedLine(line.item_id, line.quantity) for line in order.lines if line.quantity > 0],
        )  # fmt: skip


@jobs.task("erp_reconcile_nightly", what="Comparing stock with the ERP every night", cron="30 2 * * *")
def erp_reconcile_nightly(conn: Conn) -> None:
    for row in conn.execute("select id from site").fetchall():
        reconcile.request(conn, system_context("job:erp_reconcile_nightly", row[0]))
