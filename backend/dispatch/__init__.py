"""Dispatch: packed orders become jobs, jobs become routes, vans drive them, and what happened at the door is stock moved.

Planning (jobs, plans, the board, release) and the road (loading, positions, proofs, coming back) share the tables of
migration 0070. Routing itself is pure and stands in `routing`.
"""

from backend.dispatch.goods import refuse_unable
from backend.dispatch.on_the_road import (
    delivered_by_van,
    on_loading_changed,
    on_shipment_departed,
    refuse_other_than_its_route,
    refuse_unreleased,
    verify,
)
from backend.dispatch.packed import on_order_cancelled, on_order_packed
from backend.dispatch.positions import on_position
from backend.dispatch.proof import not_with_customer, route_with_serial

__all__ = [
    "delivered_by_van",
    "not_with_customer",
    "on_loading_changed",
    "on_order_cancelled",
    "on_order_packed",
    "on_position",
    "on_shipment_departed",
    "refuse_other_than_its_route",
    "refuse_unable",
    "refuse_unreleased",
    "route_with_serial",
    "verify",
]
