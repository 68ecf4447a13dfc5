"""The append-only, double-entry stock ledger: every change of stock is one `post`.

Promises: nothing is ever updated or deleted in `movement`; the sum over all places is zero for every item;
balances never go below zero nor below what is reserved; callers wait for each other and never skip
(`verify` rebuilds the balances from the movements and compares). Physical truth that the books call impossible
goes through `post_observed`. Other slices call these functions and never touch the tables.
"""

from backend.ledger.places import virtual_place
from backend.ledger.plates import lock_plates, stand_plate
from backend.ledger.post import (
    WHOSE,
    Move,
    NotEnoughStock,
    Observed,
    Posted,
    Spot,
    move_license_plate,
    post,
    post_observed,
    reverse,
    reversed_among,
)
from backend.ledger.reserve import (
    Reservation,
    release,
    reservations_of,
    reservations_on_plate,
    reserve,
)
from backend.ledger.stock import (
    PICKABLE_KINDS,
    BalanceRow,
    candidates,
    change_since,
    lock_plate_rows,
    lock_rows_at,
    lock_serials,
    on_plate,
    row_of_serial,
    rows_at,
    serial_in_stock,
)
from backend.ledger.verify import Mismatch, verify

__all__ = [
    "PICKABLE_KINDS",
    "WHOSE",
    "BalanceRow",
    "Mismatch",
    "Move",
    "NotEnoughStock",
    "Observed",
    "Posted",
    "Reservation",
    "Spot",
    "candidates",
    "change_since",
    "lock_plate_rows",
    "lock_plates",
    "lock_rows_at",
    "lock_serials",
    "move_license_plate",
    "on_plate",
    "post",
    "post_observed",
    "release",
    "reservations_of",
    "reservations_on_plate",
    "reserve",
    "reverse",
    "reversed_among",
    "row_of_serial",
    "rows_at",
    "serial_in_stock",
    "stand_plate",
    "verify",
    "virtual_place",
]
