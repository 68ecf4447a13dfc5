"""Returns from customers: received against an order or blind, graded, into quarantine or back on sale."""

from backend.returns.receive import NewReturn, ReturnLine, add_line, receive_return

__all__ = ["NewReturn", "ReturnLine", "add_line", "receive_return"]
