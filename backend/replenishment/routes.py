"""Reorder rules, what is suggested and why, and the decisions on it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Path
from psycopg.rows import dict_row
from pydantic import BaseModel, Field, model_validator

from backend import api, errors
from backend.api import Ctx, Db, Quantity, Site, allow
from backend.context import Context
from backend.errors import ChangedMeanwhile, Invalid, NotFound
from backend.integration.erp.purchases import expect_delivery, purchase_lines
from backend.paging import Cursor, Limit, Page, decode_cursor, page_of, uuid_cursor
from backend.replenishment import decide

router = api.router(tags=["replenishment"])

errors.register({
    "reorder_rule_target_above_point": (Invalid, "The target level must be above the reorder point.", "target_level"),
    "reorder_rule_safety_within_point": (Invalid, "The safety stock cannot be above the reorder point.", "safety_stock"),
})  # fmt: skip

Amount = Annotated[Quantity, Field(ge=0, lt=10**11)]


class ReorderRule(BaseModel):
    item_id: UUID
    reorder_point: Amount
    target_level: Annotated[Quantity, Field(gt=0, lt=10**11)]
    safety_stock: Amount = Field(
        default=0, validate_default=True, description="Below it, sales is told to stop recommending"
    )
    supplier_id: UUID | None = None
    approve_above: Amount = Field(
        default=0, validate_default=True, description="An order of a larger amount waits for a person"
    )
    active: bool = True

    @model_validator(mode="after")
    def in_order(self) -> ReorderRule:
        if not self.safety_stock <= self.reorder_point < self.target_level:
            raise ValueError("safety_stock <= reorder_point < target_level must hold")
        return self


class ReorderRuleChange(ReorderRule):
    version: int | None = Field(
        default=None, ge=1, le=2**31 - 1, description="Of the rule as you saw it; none for a new one"
    )


class ReorderRuleOut(ReorderRule):
    sku: str
    item_name: str
    unit: str
    on_hand: Quantity
    reserved: Quantity
    waiting: Quantity
    on_order: Quantity
    promiseable: Quantity
    position: Quantity
    recommendable: bool
    per_day: Quantity = Field(description="Average daily issue of the last 28 days")
    runs_out_on: date | None = Field(description="At that pace, without new supply")
    version: int


_RULE = """
    select r.item_id, i.sku, i.name as item_name, i.base_unit as unit, r.reorder_point, r.target_level, r.safety_stock, r.supplier_id,
           r.approve_above, r.active, r.recommendable, r.version,
           coalesce((select sum(m.quantity) from movement m join place fp on fp.id = m.from_place_id join place tp on tp.id = m.to_place_id
                     where m.site_id = r.site_id and m.item_id = r.item_id and fp.is_physical and tp.kind in ('customer', 'production')
                       and m.recorded_at > now() - interval '28 days') / 28, 0)::numeric(18, 2) as per_day
    from reorder_rule r join item i on i.id = r.item_id where r.site_id = %s"""


def _rule_out(conn: Db, ctx: Context, row: dict[str, Any]) -> ReorderRuleOut:
    p = decide.position_of(conn, ctx, row["item_id"])
    runs_out = None
    if row["per_day"] > 0:
        days = min(int(max(p.promiseable, 0) / row["per_day"]), 36500)
        runs_out = date.fromordinal(ctx.now.date().toordinal() + days)
    return ReorderRuleOut(**row, on_hand=p.on_hand, reserved=p.reserved, waiting=p.waiting, on_order=p.on_order,
                          promiseable=p.promiseable, position=p.position, runs_out_on=runs_out)  # fmt: skip


@router.get("/reorder-rules", response_model=Page[ReorderRuleOut])
def list_reorder_rules(
    conn: Db, ctx: Ctx, item_id: UUID | None = None, limit: Limit = 100, cursor: Cursor = None
) -> Page[ReorderRuleOut]:
    """Each rule with the item's position now: what will run out when."""
    after = decode_cursor(cursor, 1)
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(
            f"{_RULE} and (%s::uuid is null or r.item_id = %s) and i.sku > %s order by i.sku limit %s".encode(),
            [ctx.site_id, item_id, item_id, after[0] if after else "", limit + 1],
        ).fetchall()
    return page_of(rows, limit, lambda r: [r["sku"]], lambda r: _rule_out(conn, ctx, r))


@router.put("/reorder-rules", response_model=ReorderRuleOut, dependencies=[allow("lead")])
def put_reorder_rule(body: ReorderRuleChange, conn: Db, ctx: Ctx) -> ReorderRuleOut:
    if conn.execute("select 1 from item where id = %s", [body.item_id]).fetchone() is None:
        raise NotFound("There is no such item.", field="item_id")
    if (
        body.supplier_id
        and conn.execute("select 1 from partner where id = %s and is_supplier", [body.supplier_id]).fetchone()
        is None
    ):
        raise Invalid("This partner is no supplier.", field="supplier_id")
    present = conn.execute(
        "select version from reorder_rule where site_id = %s and item_id = %s for update",
        [ctx.site_id, body.item_id],
    ).fetchone()
    if (present[0] if present else None) != body.version:
        raise ChangedMeanwhile("Somebody else changed this rule meanwhile; look again.", field="version",
                               present_version=present[0] if present else None)  # fmt: skip
    conn.execute(
        """insert into reorder_rule (site_id, item_id, reorder_point, target_level, safety_stock, supplier_id, approve_above, active)
           values (%s, %s, %s, %s, %s, %s, %s, %s)
           on conflict (site_id, item_id) do update set reorder_point = excluded.reorder_point, target_level = excluded.target_level,
               safety_stock = excluded.safety_stock, supplier_id = excluded.supplier_id, approve_above = excluded.approve_above,
               active = excluded.active, version = reorder_rule.version + 1""",
        [
            ctx.site_id,
            body.item_id,
            body.reorder_point,
            body.target_level,
            body.safety_stock,
            body.supplier_id,
            body.approve_above,
            body.active,
        ],
    )
    decide.check(conn, ctx, [body.item_id])
    with conn.cursor(row_factory=dict_row) as cur:
        row = cur.execute(f"{_RULE} and r.item_id = %s".encode(), [ctx.site_id, body.item_id]).fetchone()
    assert row is not None
    return _rule_out(conn, ctx, row)


class Suggestion(BaseModel):
    id: UUID
    item_id: UUID
    sku: str
    item_name: str
    unit: str
    supplier_id: UUID | None
    supplier_name: str | None
    quantity: Quantity
    unit_price: Quantity | None
    amount: Quantity | None
    currency: str | None
    wanted_on: date | None
    reason: dict[str, Any] = Field(description="The figures the suggestion was made of")
    state: str
    erp_number: str | None
    words: str | None
    created_at: datetime
    decided_at: datetime | None
    decided_by: str | None


_SUGGESTION = """
    select s.id, s.item_id, i.sku, i.name as item_name, i.base_unit as unit, s.supplier_id, p.name as supplier_name, s.quantity,
           s.unit_price, (s.quantity * s.unit_price)::numeric(18, 2) as amount, s.currency, s.wanted_on, s.reason, s.state, s.erp_number,
           s.words, s.created_at, s.decided_at, s.decided_by
    from purchase_suggestion s join item i on i.id = s.item_id left join partner p on p.id = s.supplier_id where s.site_id = %s"""

State = Literal["proposed", "approved", "ordered", "refused", "received", "rejected"]


@router.get("/purchase-suggestions", response_model=Page[Suggestion])
def list_purchase_suggestions(
    conn: Db, site: Site, state: State | None = None, limit: Limit = 100, cursor: Cursor = None
) -> Page[Suggestion]:
    after = uuid_cursor(cursor)
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(
            f"{_SUGGESTION} and (%s::text is null or s.state = %s) and (%s::uuid is null or s.id < %s) order by s.id desc limit %s".encode(),
            [site, state, state, after, after, limit + 1],
        ).fetchall()
    return page_of(rows, limit, lambda r: [r["id"]], lambda r: Suggestion(**r))


def _suggestion(conn: Db, site: UUID, suggestion_id: UUID) -> Suggestion:
    with conn.cursor(row_factory=dict_row) as cur:
        row = cur.execute(f"{_SUGGESTION} and s.id = %s".encode(), [site, suggestion_id]).fetchone()
    if row is None:
        raise NotFound("There is no such suggestion at this site.")
    return Suggestion(**row)


class Approval(BaseModel):
    quantity: Annotated[Quantity, Field(gt=0, lt=10**11)] | None = Field(
        default=None, description="Another quantity than suggested"
    )


@router.post(
    "/purchase-suggestions/{suggestion_id}/approve", response_model=Suggestion, dependencies=[allow("lead")]
)
def approve_purchase_suggestion(suggestion_id: UUID, body: Approval, conn: Db, ctx: Ctx) -> Suggestion:
    decide.approve(conn, ctx, suggestion_id, body.quantity)
    return _suggestion(conn, ctx.site_id, suggestion_id)


class Rejection(BaseModel):
    reason: Annotated[str, Field(min_length=3, max_length=300)]


@router.post(
    "/purchase-suggestions/{suggestion_id}/reject", response_model=Suggestion, dependencies=[allow("lead")]
)
def reject_purchase_suggestion(suggestion_id: UUID, body: Rejection, conn: Db, ctx: Ctx) -> Suggestion:
    decide.reject(conn, ctx, suggestion_id, body.reason)
    return _suggestion(conn, ctx.site_id, suggestion_id)


class PurchaseOrderLine(BaseModel):
    number: str
    item_id: UUID
    sku: str
    item_name: str
    supplier_name: str | None
    ordered: Quantity
    open_quantity: Quantity
    unit: str
    unit_price: Quantity
    currency: str
    wanted_on: date | None
    state: str
    asn_id: UUID | None = Field(
        description="The site's delivery notice of this number, or one on its way that names it"
    )
    asn_state: Literal["expected", "arriving", "received", "cancelled"] | None
    asn_source: Literal["api", "csv", "erp"] | None = Field(description="erp: made here of the purchase")


@router.get(
    "/purchase-orders", response_model=Page[PurchaseOrderLine], dependencies=[allow("lead", "integrator")]
)
def list_purchase_orders(
    conn: Db,
    site: Site,
    item_id: UUID | None = None,
    only_open: bool = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[PurchaseOrderLine]:
    """Lines on order at suppliers, as the ERP had them when it was last asked."""
    after = decode_cursor(cursor, 1)
    rows = purchase_lines(
        conn, site, item_id=item_id, only_open=only_open, after=after[0] if after else "", limit=limit + 1
    )
    return page_of(
        rows, limit, lambda r: [r.key], lambda r: PurchaseOrderLine.model_validate(r, from_attributes=True)
    )


class ExpectedDelivery(BaseModel):
    asn_id: UUID
    number: str


@router.post(
    "/purchase-orders/{number}/asn",
    response_model=ExpectedDelivery,
    status_code=201,
    dependencies=[allow("lead", "integrator")],
)
def expect_purchase_order(
    number: Annotated[str, Path(max_length=100)], conn: Db, ctx: Ctx
) -> ExpectedDelivery:
    """Makes a delivery notice of what is open on a purchase order, for a supplier that sends none."""
    return ExpectedDelivery(asn_id=expect_delivery(conn, ctx, number), number=number)
