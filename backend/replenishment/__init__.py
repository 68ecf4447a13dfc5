"""Ordering again before a shelf is empty, and telling sales what it may recommend.

`check` runs after every change of stock. It counts what is on order, reserved and waited for, so that one need is
ordered once; it respects minimum order and pack multiples; above an amount a person approves.
"""

from backend.replenishment.decide import approve, check, purchase_made, purchase_refused, reject

__all__ = ["approve", "check", "purchase_made", "purchase_refused", "reject"]
