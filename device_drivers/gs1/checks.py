"""Check digits, and the keys that carry them: GTIN, SSCC, GLN.

GS1 General Specifications 7.9: from the right, digits weigh 3, 1, 3, 1 ...; the check digit fills up to ten.
Every function takes and gives digit strings, because leading zeros are part of a key.
"""

from __future__ import annotations


class InvalidIdentifier(ValueError):
    """The text or the bits are not the identifier they claim to be. The message says which part is wrong."""


def check_digit(digits: str) -> str:
    """The digit that belongs behind `digits`: `check_digit("400638133393") == "1"`. Raises
    InvalidIdentifier."""
    if not digits.isascii() or not digits.isdigit():
        raise InvalidIdentifier(f"{digits!r} has other characters than digits")
    total = sum(int(d) * (3 if i % 2 == 0 else 1) for i, d in enumerate(reversed(digits)))
    return str(-total % 10)


def require_check_digit(key: str, name: str) -> str:
    """`key` itself if its last digit is its check digit. Raises InvalidIdentifier."""
    expected = check_digit(key[:-1])
    if key[-1] != expected:
        raise InvalidIdentifier(
            f"{name} {key}: the check digit is {key[-1]}, it should be {expected}; scan or type it again"
        )
    return key


def is_valid_gtin(text: str) -> bool:
    """Whether `text` is a GTIN-8, -12, -13 or -14 with the right check digit."""
    return _is_key(text, (8, 12, 13, 14))


def is_valid_sscc(text: str) -> bool:
    return _is_key(text, (18,))


def is_valid_gln(text: str) -> bool:
    return _is_key(text, (13,))


def _is_key(text: str, lengths: tuple[int, ...]) -> bool:
    return len(text) in lengths and text.isascii() and text.isdigit() and check_digit(text[:-1]) == text[-1]


def gtin14(text: str) -> str:
    """A GTIN of any length as 14 digits, the one form stored and compared. Raises InvalidIdentifier."""
    if not (text.isascii() and text.isdigit() and len(text) in (8, 12, 13, 14)):
        raise InvalidIdentifier(f"GTIN {text!r}: a GTIN has 8, 12, 13 or 14 digits")
    return require_check_digit(text, "GTIN").zfill(14)


def sscc_with_check_digit(extension: int | str, company_prefix: str, serial_ref: int | str) -> str:
    """The 18 digits of an SSCC; `serial_ref` is padded with zeros. Raises InvalidIdentifier."""
    room = 16 - len(company_prefix)
    reference = str(serial_ref).zfill(room)
    body = f"{extension}{company_prefix}{reference}"
    if not 6 <= len(company_prefix) <= 12 or len(reference) != room or len(str(extension)) != 1:
        raise InvalidIdentifier(
            f"SSCC of extension {extension!r}, prefix {company_prefix!r}, serial reference {serial_ref!r}: "
            "1 + (6 to 12) + rest must be 17 digits"
        )
    return body + check_digit(body)
