"""What a scanned or typed text means in GS1 terms: `parse_scan(text, symbology) -> Scan`.

Reads GS1-128, DataMatrix and QR messages (FNC1 as GS), human readable `(01)...`, GS1 Digital Link
addresses, bare EAN/UPC/GTIN and SSCC digits, and EPC URNs. Promise: what must be GS1 and is wrong raises
InvalidIdentifier; what only might be GS1 comes back as `plain` with the doubt in `problem`, so that a place
code or an order number stays usable.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from device_drivers.gs1 import elements as gs1_elements
from device_drivers.gs1.checks import (
    InvalidIdentifier,
    gtin14,
    is_valid_gtin,
    require_check_digit,
)
from device_drivers.gs1.elements import (
    FNC1,
    Elements,
    parsed_date,
    parsed_decimal,
    to_digital_link,
    to_fnc1,
    to_human,
)
from device_drivers.gs1.epc import epc_from_tag_uri, epc_from_uri

Kind = Literal["gs1", "digital_link", "gtin", "sscc", "epc", "plain"]

_AIM = re.compile(r"\][A-Za-z][0-9A-Za-z]")
_GS1_SYMBOLOGIES = frozenset({"]C1", "]d2", "]Q3", "]J1", "]e0", "]e1", "]e2"})
_EAN_SYMBOLOGIES = frozenset({"]E0", "]E3", "]E4"})

_GRAMS = {
    "310": Decimal(1000),
    "330": Decimal(1000),
    "320": Decimal("453.59237"),
    "340": Decimal("453.59237"),
}
"""Weights in kilograms and in pounds, net and gross."""


@dataclass(frozen=True)
class Scan:
    """One scan. Fields that the code does not carry are None. GTINs have 14 digits; grams are exact."""

    text: str
    """Without AIM identifier and surrounding blanks."""
    kind: Kind
    symbology: str | None = None
    """AIM symbology identifier, e.g. `]C1`."""
    elements: Elements = ()
    gtin: str | None = None
    """(01). A case's GTIN names the case; resolve packs in the catalog."""
    contained_gtin: str | None = None
    """(02): what the logistic unit contains `count` of."""
    count: int | None = None
    """(37) units in a logistic unit, or (30) items of a variable pack."""
    lot: str | None = None
    serial: str | None = None
    sscc: str | None = None
    gln: str | None = None
    """(414) physical location, else (410) ship-to."""
    grai: str | None = None
    giai: str | None = None
    produced_on: date | None = None
    best_before_on: date | None = None
    expires_on: date | None = None
    """(17) or the day of (7003)."""
    net_weight_g: Decimal | None = None
    gross_weight_g: Decimal | None = None
    purchase_order: str | None = None
    """(400) our order number at the supplier."""
    epc: str | None = None
    """The URI, if an EPC URN was scanned."""
    problem: str | None = None
    """Why a text that looks like GS1 was not taken as GS1. Show it if nothing else matches the text."""

    @property
    def digital_link(self) -> str | None:
        """Canonical Digital Link of the elements, where they have a primary key."""
        try:
            return to_digital_link(self.elements) if self.elements else None
        except InvalidIdentifier:
            return None

    @property
    def element_string(self) -> str | None:
        """Human readable, `(01)...(10)...`."""
        return to_human(self.elements) or None

    @property
    def fnc1(self) -> str | None:
        """As a GS1 barcode holds it, GS (0x1D) between."""
        return to_fnc1(self.elements) if self.elements else None

    def get(self, ai: str) -> str | None:
        return next((value for key, value in self.elements if key == ai), None)


def parse_scan(text: str, symbology: str | None = None) -> Scan:
    """Reads one scan. `symbology` is the AIM identifier where the scanner gives it apart from the text.

    Raises InvalidIdentifier for empty text, and where the code must be GS1 (by symbology, FNC1, parentheses
    or address) and is not right: wrong check digit, unknown application identifier, impossible date."""
    text = text.strip(" \t\r\n\0")
    if symbology is None and _AIM.match(text):
        symbology, text = text[:3], text[3:]
    if not text.strip(FNC1):
        raise InvalidIdentifier("the scan is empty")
    if symbology in _EAN_SYMBOLOGIES:
        return _of_gtin(text[:13] if symbology == "]E3" else text, symbology)
    if gs1_elements.looks_like_digital_link(text):
        return _of_elements(text, "digital_link", symbology, gs1_elements.from_digital_link(text))
    if text.lower().startswith("urn:epc:"):
        return _of_epc(text, symbology)
    if re.match(r"\(\d{2,4}\)", text):
        return _of_elements(text, "gs1", symbology, gs1_elements.from_human(text))
    if symbology in _GS1_SYMBOLOGIES or FNC1 in text:
        return _of_elements(text, "gs1", symbology, gs1_elements.from_fnc1(text))
    if text.isascii() and text.isdigit() and len(text) in (8, 12, 13, 14, 18):
        return _of_digits(text, symbology)
    if symbology is None and _starts_with_key(text):
        try:
            return _of_elements(text, "gs1", None, gs1_elements.from_fnc1(text))
        except InvalidIdentifier as e:
            return Scan(text, "plain", None, problem=str(e))
    return Scan(text, "plain", symbology)


def _starts_with_key(text: str) -> bool:
    """A GS1-128 from a scanner that sends neither AIM identifier nor FNC1: a right key leads."""
    return bool(re.fullmatch(r"00\d{18}", text)) or (
        text[:2] in ("01", "02") and is_valid_gtin(text[2:16]) and len(text) >= 16
    )


def _of_digits(text: str, symbology: str | None) -> Scan:
    try:
        if len(text) == 18:
            sscc = require_check_digit(text, "SSCC")
            return _of_elements(text, "sscc", symbology, (("00", sscc),))
        return _of_gtin(text, symbology)
    except InvalidIdentifier as e:
        return Scan(text, "plain", symbology, problem=str(e))


def _of_gtin(text: str, symbology: str | None) -> Scan:
    return _of_elements(text, "gtin", symbology, (("01", gtin14(text)),))


def _of_epc(text: str, symbology: str | None) -> Scan:
    epc = epc_from_tag_uri(text) if text.lower().startswith("urn:epc:tag:") else epc_from_uri(text)
    return _of_elements(text, "epc", symbology, epc.elements, epc.uri)


def _of_elements(
    text: str, kind: Kind, symbology: str | None, elements: Elements, epc: str | None = None
) -> Scan:
    values = dict(reversed(elements))
    count = values.get("37") or values.get("30")
    return Scan(
        text=text,
        kind=kind,
        symbology=symbology,
        elements=elements,
        gtin=values.get("01") or values.get("8006", "")[:14] or None,
        contained_gtin=values.get("02"),
        count=int(count) if count else None,
        lot=values.get("10"),
        serial=values.get("21"),
        sscc=values.get("00"),
        gln=values.get("414") or values.get("410"),
        grai=values.get("8003"),
        giai=values.get("8004"),
        produced_on=_date(values, "11"),
        best_before_on=_date(values, "15"),
        expires_on=_date(values, "17", "7003"),
        net_weight_g=_weight_g(elements, ("310", "320")),
        gross_weight_g=_weight_g(elements, ("330", "340")),
        purchase_order=values.get("400"),
        epc=epc,
    )


def _date(values: dict[str, str], *ais: str) -> date | None:
    return next((parsed_date(ai, values[ai]) for ai in ais if ai in values), None)


def _weight_g(elements: Elements, ais: tuple[str, ...]) -> Decimal | None:
    for ai, value in elements:
        if len(ai) == 4 and ai[:3] in ais:
            measure = parsed_decimal(ai, value)
            return None if measure is None else measure * _GRAMS[ai[:3]]
    return None
