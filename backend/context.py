"""Who does something, where, when, and because of what: handed to every use case beside the connection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from backend.ids import new_id


@dataclass(frozen=True)
class Context:
    """`actor` is `user:NAME`, `agent:CODE`, `job:NAME` or `erp`; `correlation_id` runs from read to posting."""

    actor: str
    site_id: UUID
    now: datetime
    correlation_id: str

    def caused_by(self, correlation_id: str) -> Context:
        return replace(self, correlation_id=correlation_id)


def system_context(actor: str, site_id: UUID, correlation_id: str | None = None) -> Context:
    """The context of a job or an ingest batch: now, with a correlation id of its own unless one is given."""
    return Context(actor, site_id, datetime.now(UTC), correlation_id or str(new_id()))
