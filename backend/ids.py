"""Identifiers. UUIDv7 made here, not in the database (which would need PostgreSQL 18): they sort by time."""

from uuid import UUID

from uuid_utils import compat


def new_id() -> UUID:
    return compat.uuid7()
