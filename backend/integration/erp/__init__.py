"""Posting to an ERP in time and once, and hearing of orders from it.

A trigger writes a posting for each movement the ERP keeps (`movement.posting = 'to_post'`); `outbox` groups them into
documents in order per item, `send` sends them through a `connector`, `drain.run` is the program that does it. Orders
go through `request_sale` and `request_purchase`. To attach another ERP see `connector.py`.
"""

from backend.integration.erp.orders import (
    OpenPurchase,
    WantedLine,
    open_purchases,
    request_purchase,
    request_sale,
)

__all__ = ["OpenPurchase", "WantedLine", "open_purchases", "request_purchase", "request_sale"]
