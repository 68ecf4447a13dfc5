"""Moving stock on purpose: from bin to bin in one scan each, and from one site to another through in-transit."""

from backend.transfers.between_sites import dispatch, open_transfer, receive
from backend.transfers.moves import move_by_code

__all__ = ["dispatch", "move_by_code", "open_transfer", "receive"]
