"""Telling CRM and others: events as CloudEvents 1.0, signed as Standard Webhooks (HMAC-SHA256), delivered until taken.

`emit` writes the event and one delivery per subscriber in the caller's transaction. Deliveries about one subject
arrive in order; one that nobody takes for three days is parked on a list where a person can retry it.
"""

from backend.integration.webhooks.emit import emit

__all__ = ["emit"]
