"""The weight of a carton, and closing it: what it weighs must be what its contents weigh, or a lead says why not."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, Forbidden, Invalid, RefusedButRecorded
from backend.live.announce import announce
from backend.packing.carton import Carton, carton, lock_carton, note

HEAVIEST_G = Decimal(1_000_000)


class WeightDiffers(Conflict, RefusedButRecorded):
    """The carton weighs too much or too little for what was scanned into it. Recorded; it stays open."""

    kind, title = "weight-differs", "The carton does not weigh what it should"


def attach_weight(
    conn: Conn, ctx: Context, carton_id: UUID, weight_g: Decimal, *, by: str, at: datetime | None = None
) -> Carton:
    """The newest stable weight of the open carton, cardboard included. Raises Invalid, Conflict, NotFound."""
    c = lock_carton(conn, ctx.site_id, carton_id)
    if c.state != "open":
        raise Conflict(f"This carton is {c.state}; its weight is fixed.", state=c.state)
    if not weight_g.is_finite() or not 0 < weight_g <= HEAVIEST_G:
        raise Invalid(f"A carton weighs between 0 and {HEAVIEST_G} g.", field="weight_g")
    moment = at or ctx.now
    if c.weighed_at is not None and moment < c.weighed_at:
        return c  # an older weight that came late
    conn.execute(
        """update carton set weight_g = %s, weighed_at = %s, weighed_by = %s, version = version + 1
           where site_id = %s and id = %s""",
        [weight_g, moment, by, ctx.site_id, carton_id],
    )
    weighed = carton(conn, ctx.site_id, carton_id)
    note(conn, ctx, c.bench_id, "weighed", _weight_words(weighed), carton_id=carton_id)
    announce(conn, ctx.site_id, "tasks", carton_id)
    return weighed


def close_carton(
    conn: Conn,
    ctx: Context,
    carton_id: UUID,
    *,
    override_reason: str | None = None,
    may_override: bool = False,
) -> Carton:
    """Closed, its label printed, its order's shipment made. Raises WeightDiffers, Forbidden (only a lead overrides), Conflict."""
    from backend import dispatch, labels, shipping  # they build on packing

    c = lock_carton(conn, ctx.site_id, carton_id)
    if c.state != "open":
        raise Conflict(f"This carton is {c.state} already.", state=c.state)
    if not c.contents:
        raise Conflict("The carton is empty; pack something first.")
    doubtful = c.weight_check in ("off", "not_weighed")
    if doubtful and override_reason is None:
        note(conn, ctx, c.bench_id, "refused", _weight_words(c), carton_id=c.id)
        raise WeightDiffers(
            f"{_weight_words(c)} Look what is missing or too many; a lead may close it with a reason.",
            field="weight_g",
            expected_weight_g=_grams(c.expected_weight_g),
            weight_g=_grams(c.weight_g),
            tolerance_g=_grams(c.tolerance_g),
        )
    if doubtful and not may_override:
        raise Forbidden("Only a lead may close a carton against its weight.", needed=["lead"])
    conn.execute(
        """update carton set state = 'closed', closed_at = %s, closed_by = %s, override_by = %s, override_reason = %s,
                  version = version + 1 where site_id = %s and id = %s""",
        [
            ctx.now,
            ctx.actor,
            ctx.actor if doubtful else None,
            override_reason if doubtful else None,
            ctx.site_id,
            c.id,
        ],
    )
    conn.execute(
        "update license_plate set state = 'closed', weight_g = %s where id = %s",
        [c.weight_g if c.weight_g is not None else c.expected_weight_g, c.id],
    )
    labels.print_license_plate(conn, ctx, c.id)
    shipping.on_carton_closed(conn, ctx, c.order_id)
    dispatch.on_order_packed(conn, ctx, c.order_id)
    note(conn, ctx, c.bench_id, "closed", f"SSCC {c.sscc}", carton_id=c.id)
    announce(conn, ctx.site_id, "tasks", c.id)
    announce(conn, ctx.site_id, "orders", c.order_id)
    return carton(conn, ctx.site_id, c.id)


def _weight_words(c: Carton) -> str:
    if c.weight_check == "not_weighed":
        return f"The carton was not weighed; it should weigh {_grams(c.expected_weight_g)} g."
    if c.weight_check == "cannot_say":
        return f"The carton weighs {_grams(c.weight_g)} g; what it should weigh is not known."
    return (
        f"The carton weighs {_grams(c.weight_g)} g and should weigh {_grams(c.expected_weight_g)} g "
        f"(give or take {_grams(c.tolerance_g)} g)."
    )


def _grams(weight: Decimal | None) -> str | None:
    return None if weight is None else format(weight.normalize(), "f")
