"""Sales orders: taken once, promised from stock first-expired-first-out, changed and cancelled without ghost stock.

Orders come from the ERP, or over the API as a CRM sends them (those first become a sale in the ERP). The order row is
the lock: whoever changes what is promised to an order locks it first, then the tasks, then the ledger. How far an
order is follows from where its reserved goods stand, so no counter can drift. A new source is a word in the CHECK of
migration 0030 and in `accept.Source`.
"""

from backend.orders.accept import NewLine, NewOrder, OrderDiffers, accept, set_erp_reference
from backend.orders.allocate import (
    allocate,
    allocate_waiting,
    block_bin,
    local_day,
    lock_promised,
    reallocate,
    reallocate_expired,
    refresh_state,
    unblock_bin,
)
from backend.orders.availability import Availability, Incoming, availability
from backend.orders.change import OrderUnderWay, cancel, change_line
from backend.orders.leave import record_came_back, record_shipped
from backend.orders.order import Order, OrderLine, find_by_number, lock_order, order, search

__all__ = [
    "Availability",
    "Incoming",
    "NewLine",
    "NewOrder",
    "Order",
    "OrderDiffers",
    "OrderLine",
    "OrderUnderWay",
    "accept",
    "allocate",
    "allocate_waiting",
    "availability",
    "block_bin",
    "cancel",
    "change_line",
    "find_by_number",
    "local_day",
    "lock_order",
    "lock_promised",
    "order",
    "reallocate",
    "reallocate_expired",
    "record_came_back",
    "record_shipped",
    "refresh_state",
    "search",
    "set_erp_reference",
    "unblock_bin",
]
