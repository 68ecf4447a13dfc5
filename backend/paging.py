"""Cursor pagination: `?limit=&cursor=` in, `{"items": [...], "next_cursor": ...}` out. A cursor is opaque."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from backend.errors import Invalid

T = TypeVar("T")
R = TypeVar("R")

Limit = Annotated[int, Query(ge=1, le=500, description="At most so many rows")]
Cursor = Annotated[str | None, Query(max_length=400, description="`next_cursor` of the page before")]


class Page(BaseModel, Generic[T]):
    items: list[T]
    next_cursor: str | None = None


def encode_cursor(*values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps([str(v) for v in values]).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, parts: int) -> list[str] | None:
    """The values of a cursor, or None for the first page. Raises Invalid for a cursor not made here."""
    if not cursor:
        return None
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        json.dumps(values, ensure_ascii=False).encode()  # a lone surrogate is no text
    except (ValueError, binascii.Error) as e:
        raise Invalid("The cursor is not one of ours; start without it.", field="cursor") from e
    if not isinstance(values, list) or len(values) != parts or not all(isinstance(v, str) for v in values):
        raise Invalid("The cursor is of another list; start without it.", field="cursor")
    return values


def uuid_cursor(cursor: str | None) -> UUID | None:
    """Of a list in the order of its ids, which is the order in which they were made."""
    values = decode_cursor(cursor, 1)
    try:
        return UUID(values[0]) if values else None
    except ValueError as e:
        raise Invalid("The cursor is of another list; start without it.", field="cursor") from e


def int_cursor(cursor: str | None) -> int | None:
    values = decode_cursor(cursor, 1)
    try:
        number = int(values[0]) if values else None
    except ValueError as e:
        raise Invalid("The cursor is of another list; start without it.", field="cursor") from e
    if number is not None and not -(2**63) <= number < 2**63:
        raise Invalid("The cursor is of another list; start without it.", field="cursor")
    return number


def page_of(
    rows: Sequence[R], limit: int, key: Callable[[R], Sequence[object]], model: Callable[[R], T]
) -> Page[T]:
    """`rows` were fetched with `limit + 1`; the extra one says that there is a next page."""
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(items=[model(r) for r in rows], next_cursor=encode_cursor(*key(rows[-1])) if more else None)
