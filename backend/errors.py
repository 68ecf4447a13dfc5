"""Every refusal the backend can answer, and how it looks on the wire: Problem Details (RFC 9457).

A use case raises a `Refused`; the API turns it into a response with a stable `type`, a sentence a person can
act on, and the field. A database constraint is the last line: `CONSTRAINTS` maps its *name* to the sentence.
A slice adds its own constraints with `register`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import errors as pg
from pydantic import BaseModel, ConfigDict, Field


class Problem(BaseModel):
    """RFC 9457 Problem Details. Further members name what the sentence speaks of (field, expected, seen ...)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Stable identifier of the kind of problem, e.g. /problems/not-enough-stock")
    title: str
    status: int
    detail: str = Field(description="A sentence a person can act on")
    field: str | None = Field(default=None, description="The input field that is wrong, where there is one")


def _described(text: str) -> dict[str, Any]:
    return {
        "description": text,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: _described("The request cannot be read"),
    401: _described("Not logged in, or the token has expired"),
    403: _described("This role may not do that"),
    404: _described("No such thing, or it belongs to another site"),
    409: _described("The state of things does not allow it; nothing was changed"),
    410: _described("It is over"),
    413: _described("The body is too large"),
    422: _described("A field is wrong; nothing was changed"),
    429: _described("Too many tries; wait"),
    503: _described("A part that this needs is not there; try again"),
}
"""Give this to every router: `APIRouter(responses=PROBLEMS)`."""


class Refused(Exception):
    """The rules say no. Nothing was changed. Subclasses fix type, title and status."""

    kind = "refused"
    title = "Refused"
    status = 409

    def __init__(self, detail: str, *, field: str | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.more = more

    def problem(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "type": f"/problems/{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.field is not None:
            body["field"] = self.field
        return body | self.more


class NotFound(Refused):
    kind, title, status = "not-found", "Not found", 404


class Gone(Refused):
    """It was there, and is over."""

    kind, title, status = "gone", "Over", 410


class Unknown(Refused):
    """A field names something that is not there."""

    kind, title, status = "unknown-reference", "Unknown reference", 422


class Invalid(Refused):
    kind, title, status = "invalid-input", "Invalid input", 422


class NotLoggedIn(Refused):
    kind, title, status = "not-logged-in", "Not logged in", 401


class Forbidden(Refused):
    kind, title, status = "forbidden", "Forbidden", 403


class Conflict(Refused):
    kind, title, status = "conflict", "Conflict", 409


class ChangedMeanwhile(Refused):
    """Two people changed the same line; the second is told and shown the present state."""

    kind, title, status = "changed-meanwhile", "Changed by somebody else meanwhile", 409


class TooManyTries(Refused):
    kind, title, status = "too-many-tries", "Too many tries", 429


class Unavailable(Refused):
    kind, title, status = "unavailable", "Not available right now", 503


class RefusedButRecorded(Refused):
    """Mixed into a refusal: refused, yet what was written in the transaction stays (a mismatch at picking is recorded)."""


CONSTRAINTS: dict[str, tuple[type[Refused], str, str | None]] = {
    "site_code_unique": (Conflict, "A site with this code exists already.", "code"),
    "partner_code_unique": (Conflict, "A partner with this code exists already.", "code"),
    "item_sku_unique": (Conflict, "An item with this SKU exists already.", "sku"),
    "item_pack_gtin_unique": (Conflict, "This GTIN names another pack already.", "gtin"),
    "item_pack_name_unique": (Conflict, "The item has a pack of this name already.", "name"),
    "place_code_unique": (Conflict, "The site has a place with this code already.", "code"),
    "lot_code_unique": (Conflict, "The item has a lot with this code already.", "lot"),
    "license_plate_code_unique": (Conflict, "The site has a license plate with this code already.", "code"),
    "tag_epc_active_unique": (Conflict, "This EPC is commissioned already; re-tag it instead.", "epc"),
    "external_key_their_key_unique": (
        Conflict,
        "This key of the outside system is mapped to another thing of ours.",
        "their_key",
    ),
    "app_user_username_unique": (Conflict, "A user with this name exists already.", "username"),
    "balance_serial_is_one": (Conflict, "This serial is there already; a serial exists once.", "serial"),
    "balance_serial_once": (Conflict, "This serial is in stock already; a serial exists once.", "serial"),
    "balance_on_hand_not_negative": (Conflict, "There is less on hand than this takes.", "quantity"),
    "balance_reserved_within_on_hand": (
        Conflict,
        "What is left would not cover what is reserved.",
        "quantity",
    ),
    "movement_reversed_once": (Conflict, "This movement was reversed already.", None),
    "ledger_is_append_only": (Conflict, "The ledger is append-only; post a reversing movement.", None),
}


def register(constraints: Mapping[str, tuple[type[Refused], str, str | None]]) -> None:
    """A slice's constraint names -> what the person reads. Called at import of the slice."""
    CONSTRAINTS.update(constraints)


def from_database(e: psycopg.Error) -> Refused | None:
    """The refusal behind a database error, or None where it is a fault of ours."""
    name = e.diag.constraint_name
    if name in CONSTRAINTS:
        kind, detail, field = CONSTRAINTS[name]
        return kind(detail, field=field)
    if isinstance(e, pg.ForeignKeyViolation):
        return Unknown(f"{e.diag.message_detail or 'A reference leads nowhere.'}")
    if isinstance(e, pg.CheckViolation | pg.UniqueViolation | pg.NotNullViolation):
        return Invalid(f"The database refuses this: {e.diag.message_primary}")
    if isinstance(e, pg.NumericValueOutOfRange | pg.DatetimeFieldOverflow | pg.InvalidDatetimeFormat):
        return Invalid(f"A number or date is out of range: {e.diag.message_primary}")
    if isinstance(e, pg.UntranslatableCharacter | pg.CharacterNotInRepertoire):
        return Invalid("A text holds a character the database cannot store.")
    if (
        isinstance(e, psycopg.DataError) and e.sqlstate is None
    ):  # psycopg's own: NUL, a number beyond the type
        return Invalid(f"A value cannot be stored: {e}")
    return None
