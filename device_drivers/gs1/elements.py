"""GS1 element strings: pairs of application identifier and value, and the three ways they are written.

Human readable `(01)09506000134352(10)A1`, as scanned (FNC1 arrives as GS, 0x1D), and as GS1 Digital Link.
`biip` knows the application identifiers and their formats; added here are check digits as errors, values with
parentheses, and one error type. All readers raise InvalidIdentifier and verify formats, dates, check digits.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from urllib.parse import urlsplit

from biip import EncodeError, ParseError
from biip.gs1_application_identifiers import GS1ApplicationIdentifier
from biip.gs1_digital_link_uris import GS1DigitalLinkURI
from biip.gs1_element_strings import GS1ElementString, GS1ElementStrings
from biip.gs1_messages import GS1Message

from device_drivers.gs1.checks import InvalidIdentifier, require_check_digit

Elements = tuple[tuple[str, str], ...]
"""(application identifier, value) in the order they stood."""

FNC1 = "\x1d"

_KEYS = {
    "00": ("SSCC", 18),
    "01": ("GTIN", 14),
    "02": ("GTIN of the contents", 14),
    "253": ("GDTI", 13),
    "255": ("GCN", 13),
    "8003": ("GRAI", 14),
    "8006": ("GTIN of the piece", 14),
    "8017": ("GSRN", 18),
    "8018": ("GSRN", 18),
} | dict.fromkeys(("410", "411", "412", "413", "414", "415", "416", "417"), ("GLN", 13))
"""Keys with a check digit as the last of their leading digits."""

_KEY_IN_PATH = re.compile(
    r"/(00/\d{18}|01/\d{8,14}|41[47]/\d{13}|(8003|253|255|8006|8017|8018)/\d{13,}|(8004|8010)/\d{4})"
)
_AI_IN_PARENTHESES = re.compile(r"\((\d{2,4})\)")


def from_fnc1(text: str) -> Elements:
    """A scanned message such as `010950600013435210A1<GS>21S7`; leading FNC1 is ignored."""
    try:
        return _checked(GS1Message.parse(text.lstrip(FNC1)).element_strings)
    except ParseError as e:
        raise InvalidIdentifier(f"not a GS1 message: {e}") from e


def from_human(text: str) -> Elements:
    """`(01)09506000134352(21)a(b)`: only parentheses around a known application identifier separate."""
    marks = [match for match in _AI_IN_PARENTHESES.finditer(text) if _is_ai(match[1])]
    if not marks or text[: marks[0].start()].strip():
        raise InvalidIdentifier(f"{text!r}: expected (AI)value(AI)value with known application identifiers")
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return verified(
        tuple((mark[1], text[mark.end() : end].strip()) for mark, end in zip(marks, ends, strict=True))
    )


def from_digital_link(uri: str) -> Elements:
    """`https://any.host/any/path/01/09506000134352/21/S7?17=270101`."""
    try:
        return _checked(GS1DigitalLinkURI.parse(uri).element_strings)
    except ParseError as e:
        raise InvalidIdentifier(f"not a GS1 Digital Link: {e}") from e


def looks_like_digital_link(uri: str) -> bool:
    """An http(s) address whose path has a GS1 key where a key's application identifier says so."""
    path = urlsplit(uri).path if uri.lower().startswith(("http://", "https://")) else ""
    return bool(_KEY_IN_PATH.search(path))


def verified(elements: Elements) -> Elements:
    """The same elements, if identifiers, formats and check digits are right. Raises InvalidIdentifier."""
    return _checked(_strings(elements))


def to_human(elements: Elements) -> str:
    return "".join(f"({ai}){value}" for ai, value in elements)


def to_fnc1(elements: Elements) -> str:
    """As a scanner gives it: GS behind every value of variable length but the last; no leading FNC1."""
    return GS1Message.from_element_strings(_strings(elements)).value


def to_digital_link(elements: Elements, domain: str = "id.gs1.org") -> str:
    """Canonical GS1 Digital Link. Raises InvalidIdentifier where no element can be its primary key."""
    try:
        return GS1DigitalLinkURI.from_element_strings(_strings(elements)).as_uri(domain=domain)
    except EncodeError as e:
        raise InvalidIdentifier(f"{to_human(elements)} has no key that a Digital Link can start with") from e


def parsed_date(ai: str, value: str) -> date | None:
    """Dates of (11) (13) (15) (16) (17) (7003); day 00 is the month's last, the century slides (GS1 7.12)."""
    return GS1ElementString.parse(ai + value).date


def parsed_decimal(ai: str, value: str) -> Decimal | None:
    """Measures of AI 31nn to 36nn and 39nn, decimals placed."""
    return GS1ElementString.parse(ai + value).decimal


def _is_ai(digits: str) -> bool:
    try:
        return GS1ApplicationIdentifier.extract(digits).ai == digits
    except ParseError:
        return False


def _strings(elements: Elements) -> GS1ElementStrings:
    strings = GS1ElementStrings()
    for ai, value in elements:
        if not _is_ai(ai):
            raise InvalidIdentifier(f"({ai}) is not a GS1 application identifier")
        try:
            string = GS1ElementString.parse(ai + value)
        except ParseError as e:
            known = GS1ApplicationIdentifier.extract(ai)
            wanted = f"{known.description}, format {known.format}"
            raise InvalidIdentifier(f"({ai}){value}: not a valid {wanted}") from e
        strings.append(string)
    return strings


def _checked(strings: GS1ElementStrings) -> Elements:
    elements = tuple((string.ai.ai, string.value) for string in strings)
    for ai, value in elements:
        if ai in _KEYS:
            name, length = _KEYS[ai]
            require_check_digit(value[:length], name)
    return elements
