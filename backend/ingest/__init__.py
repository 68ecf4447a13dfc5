"""MQTT to database: the events of all agents become rows and stock movements, once, in order.

`commit_batch` is one transaction: receipts, evidence, handlers, dead letters; nothing is acknowledged before it
is committed. `consumer.run` feeds it from the broker. What an event does is in the table `handlers.HANDLERS`;
a new event type is a struct in `edge/messages.py` and a line there.
"""

from backend.ingest.commit import Outcome, Publish, commit_batch, retry
from backend.ingest.consumer import run

__all__ = ["Outcome", "Publish", "commit_batch", "retry", "run"]
