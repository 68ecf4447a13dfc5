"""What every ERP connector can do, in the warehouse's words; `tryton.py` is the first that does it.

A `Document` is one thing the ERP books: its lines happen together and it carries our reference. `post` promises
"once": it looks the reference up before it sends, goes on from the state it finds, and when it raises `ErpRefused`
nothing of the document is left in the ERP (or the refusal says that it `remains`). Any other `ErpError` says "ask again with the same document".
To attach another ERP: one file with a class of this shape, one line in `CONNECTORS` (`connect.py`), and the contract
suite in `tests/integration_erp/test_tryton_documents.py` run over it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

# --- what goes wrong ------------------------------------------------------------------------------------------


class ErpError(Exception):
    """The ERP did not do it. `str()` is the ERP's own words where it had any."""

    kind = "error"


class ErpUnreachable(ErpError):
    """No connection, or no answer in time: whether it was done is unknown until the reference is looked up."""

    kind = "unreachable"


class ErpBusy(ErpError):
    """It answered, but with a failure of its own (HTTP 5xx, a locked database): later it may work."""

    kind = "busy"


class ErpLogin(ErpError):
    """User, password or database name are not accepted: everything waits until a person changes them."""

    kind = "login"


class ErpRefused(ErpError):
    """Its rules say no; the same again will be refused again. `lines`: keys of the lines it is about, none: unknown."""

    kind = "refused"

    def __init__(self, words: str, lines: Iterable[str] = (), *, remains: bool = False) -> None:
        super().__init__(words)
        self.lines = frozenset(lines)
        self.remains = remains
        """Part of it is booked and cannot be taken back: only the same document may be sent again."""


class ErpUnknownItem(ErpRefused):
    """It has no product under the key we use."""

    kind = "unknown_item"


class ErpShortage(ErpRefused):
    """By its books there is less in the location than the document takes."""

    kind = "shortage"


class ErpClosedPeriod(ErpRefused):
    """The date lies in a period that is closed; it concerns the document as a whole."""

    kind = "closed_period"


# --- what is posted -------------------------------------------------------------------------------------------


class Kind(StrEnum):
    RECEIPT = "receipt"
    """From a supplier into our locations."""
    SHIPMENT = "shipment"
    """From our locations to a customer."""
    INTERNAL = "internal"
    """Between two of our locations; one document has one pair of locations."""
    COUNT = "count"
    """Between one of our locations and "lost and found"; one document has one location."""
    CUSTOMER_RETURN = "customer_return"
    SUPPLIER_RETURN = "supplier_return"


@dataclass(frozen=True)
class Line:
    key: str
    """Ours, unique in the document; a refusal names lines by it."""
    item: str
    """The ERP's code of the product (the mapped key, else our sku)."""
    quantity: Decimal
    from_location: str
    to_location: str
    lot: str | None = None
    serial: str | None = None


@dataclass(frozen=True)
class Document:
    kind: Kind
    reference: str
    """Unique, at most 35 characters; never reused for other lines."""
    on: date
    """The day it happened."""
    lines: tuple[Line, ...]
    order: str | None = None
    """The ERP's own id of the purchase or sale it fulfils."""
    partner: str | None = None
    """The ERP's code of supplier or customer, where there is no order."""


@dataclass(frozen=True)
class Posted:
    id: str
    number: str


# --- orders ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NewLine:
    item: str
    quantity: Decimal
    unit_price: Decimal | None = None
    """None: the ERP's own price of the item."""


@dataclass(frozen=True)
class NewOrder:
    """A sale or purchase to be made in the ERP; `reference` finds it again after a lost answer."""

    reference: str
    partner: str
    lines: tuple[NewLine, ...]
    wanted_on: date | None = None
    comment: str = ""


@dataclass(frozen=True)
class OrderLine:
    id: str
    item: str
    quantity: Decimal
    open_quantity: Decimal
    unit_price: Decimal = Decimal(0)


@dataclass(frozen=True)
class Order:
    """A sale or purchase as the ERP has it now."""

    id: str
    number: str
    reference: str
    partner: str
    partner_name: str
    state: str
    """draft | confirmed | done | cancelled: the ERP's states brought to these four."""
    currency: str
    placed_on: date | None
    wanted_on: date | None
    changed_at: datetime
    lines: tuple[OrderLine, ...] = field(default=())


# --- master data ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Product:
    id: str
    code: str
    name: str
    unit: str
    gtin: str | None
    tracks_lots: bool
    list_price: Decimal | None
    suppliers: tuple[Offer, ...] = ()


@dataclass(frozen=True)
class Offer:
    """What one supplier asks for a product."""

    partner: str
    unit_price: Decimal
    currency: str
    lead_time_d: int
    min_quantity: Decimal


@dataclass(frozen=True)
class Partner:
    id: str
    code: str
    name: str
    email: str | None
    is_supplier: bool
    is_customer: bool


@dataclass(frozen=True)
class Location:
    id: str
    code: str
    name: str
    kind: str
    parent: str | None


@dataclass(frozen=True)
class OnHand:
    item: str
    location: str
    quantity: Decimal


class Connector(Protocol):
    """Every method raises ErpUnreachable, ErpBusy or ErpLogin; those that write raise ErpRefused too."""

    def identify(self) -> str:
        """Log in and say who answers, e.g. "Tryton 8.0, company Stowage Demo"."""

    def post(self, document: Document) -> Posted:
        """Book it, once."""

    def post_together(self, documents: Sequence[Document]) -> list[Posted | ErpRefused]:
        """The same for several of one kind, faster where the ERP takes them in one call."""

    def create_sale(self, order: NewOrder) -> Posted:
        """A confirmed sale, once by reference."""

    def create_purchase(self, order: NewOrder) -> Posted:
        """A confirmed purchase, once by reference."""

    def sales_changed_since(self, moment: datetime | None) -> list[Order]:
        """Oldest change first; None: all that are still open."""

    def purchases_changed_since(self, moment: datetime | None) -> list[Order]: ...

    def on_hand(self, locations: Sequence[str]) -> Iterator[OnHand]:
        """What the ERP believes to be in these locations themselves (children are not added in), zero left out."""

    def products(self) -> Iterator[Product]: ...

    def partners(self) -> Iterator[Partner]: ...

    def locations(self) -> list[Location]: ...

    def close(self) -> None: ...
