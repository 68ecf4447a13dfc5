"""EPCs as tags carry them: memory bits <-> tag URI <-> pure identity URI <-> GS1 elements <-> Digital Link.

The classic schemes (SGTIN-96, SSCC-96 ... with company prefix and partition) are `epcpy`'s work; the "+"
schemes of Tag Data Standard 2.x are in `epc_plus`. `epc_from_hex` gives one frozen `Epc` for all of them
and refuses whatever is not exactly an EPC: unknown header, wrong length, broken partition, bits behind the
end.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from epcpy.utils.common import ConvertException
from epcpy.utils.parsers import (
    EPC_SCHEME_IDENTIFIERS,
    binary_to_tag_encodable,
    epc_pure_identity_to_tag_encodable,
    tag_uri_to_tag_encodable,
)

from device_drivers.gs1 import epc_plus
from device_drivers.gs1.checks import InvalidIdentifier, gtin14, require_check_digit
from device_drivers.gs1.elements import Elements, to_digital_link, to_fnc1, to_human, verified

_CLASSIC: dict[int, tuple[str, int | None, int]] = {
    0x2C: ("gdti-96", 96, 3),
    0x2D: ("gsrn-96", 96, 3),
    0x2E: ("gsrnp-96", 96, 3),
    0x2F: ("usdod-96", 96, 4),
    0x30: ("sgtin-96", 96, 3),
    0x31: ("sscc-96", 96, 3),
    0x32: ("sgln-96", 96, 3),
    0x33: ("grai-96", 96, 3),
    0x34: ("giai-96", 96, 3),
    0x35: ("gid-96", 96, 0),
    0x36: ("sgtin-198", 198, 3),
    0x37: ("grai-170", 170, 3),
    0x38: ("giai-202", 202, 3),
    0x39: ("sgln-195", 195, 3),
    0x3B: ("adi-var", None, 6),
    0x3C: ("cpi-96", 96, 3),
    0x3D: ("cpi-var", None, 3),
    0x3E: ("gdti-174", 174, 3),
    0x3F: ("sgcn-96", 96, 3),
    0x40: ("itip-110", 110, 3),
    0x41: ("itip-212", 212, 3),
}
"""Header -> scheme, bits (None: variable), bits of the filter value (TDS table 14-1)."""

_SCHEME_AIS = {
    "sgtin": ("01", "21"),
    "sscc": ("00",),
    "sgln": ("414", "254"),
    "grai": ("8003",),
    "giai": ("8004",),
    "gsrn": ("8018",),
    "gsrnp": ("8017",),
    "gdti": ("253",),
    "sgcn": ("255",),
    "cpi": ("8010", "8011"),
    "itip": ("8006", "21"),
}

_EPCPY_ERRORS = (ConvertException, ValueError, KeyError, IndexError)


@dataclass(frozen=True)
class Epc:
    """One EPC with all its faces. Equal EPCs have equal `hex`."""

    hex: str
    """Upper case, as the tag's EPC memory holds it, padded with zeros to 16-bit words."""
    scheme: str
    """`sgtin-96`, `sscc-96`, `sgtin+` ..."""
    filter_value: int
    elements: Elements
    """GS1 elements in order; empty for the schemes without GS1 key (gid, usdod, adi)."""
    pure_identity_uri: str | None
    """`urn:epc:id:sgtin:0614141.812345.6789`; None for "+" schemes: no company prefix in the bits."""
    tag_uri: str | None

    @property
    def uri(self) -> str:
        """The pure identity URI, or for "+" schemes the canonical Digital Link, as EPCIS 2.0 has it."""
        return self.pure_identity_uri or self.digital_link or f"urn:epc:raw:{len(self.hex) * 4}.x{self.hex}"

    @property
    def gtin(self) -> str | None:
        """14 digits."""
        itip = self.get("8006")
        return self.get("01") or (itip[:14] if itip else None)

    @property
    def serial(self) -> str | None:
        return self.get("21")

    @property
    def sscc(self) -> str | None:
        """18 digits."""
        return self.get("00")

    @property
    def gln(self) -> str | None:
        return self.get("414")

    @property
    def grai(self) -> str | None:
        """14 digits and the serial."""
        return self.get("8003")

    @property
    def giai(self) -> str | None:
        return self.get("8004")

    @property
    def lot(self) -> str | None:
        """From +AIDC data behind the EPC."""
        return self.get("10")

    @property
    def element_string(self) -> str | None:
        """`(01)80614141123458(21)6789`."""
        return to_human(self.elements) or None

    @property
    def fnc1(self) -> str | None:
        """As a scanner would give it, GS (0x1D) between."""
        return to_fnc1(self.elements) if self.elements else None

    @property
    def digital_link(self) -> str | None:
        return to_digital_link(self.elements) if self.elements else None

    def get(self, ai: str) -> str | None:
        return next((value for key, value in self.elements if key == ai), None)


@lru_cache(maxsize=4096)
def epc_from_hex(hex_text: str) -> Epc:
    """EPC memory in hexadecimal, as a reader reports it. Raises InvalidIdentifier."""
    try:
        data = bytes.fromhex(hex_text)
    except ValueError as e:
        raise InvalidIdentifier(f"EPC {hex_text!r}: not whole bytes of hexadecimal") from e
    if not data:
        raise InvalidIdentifier("EPC is empty")
    if data[0] in epc_plus.HEADERS:
        scheme, filter_value, elements = epc_plus.decode(data)
        return Epc(data.hex().upper(), scheme, filter_value, verified(elements), None, None)
    if data[0] not in _CLASSIC:
        raise InvalidIdentifier(
            f"EPC {hex_text}: header {data[0]:02X} belongs to no EPC scheme; the tag holds something else"
        )
    scheme, length, filter_bits = _CLASSIC[data[0]]
    bits = "".join(f"{byte:08b}" for byte in data)
    if length is not None:
        if len(bits) < length:
            raise InvalidIdentifier(f"EPC {hex_text}: {len(bits)} bits, {scheme.upper()} has {length}")
        if "1" in bits[length:]:
            raise InvalidIdentifier(
                f"EPC {hex_text}: bits behind the {length} bits of {scheme.upper()} that should be zero"
            )
        bits = bits[:length]
    filter_value = int(bits[8 : 8 + filter_bits] or "0", 2)
    try:
        decoded = (
            tag_uri_to_tag_encodable(_adi_tag_uri(bits))
            if scheme == "adi-var"
            else binary_to_tag_encodable(bits)
        )
        return _classic(decoded, scheme, filter_value, data.hex().upper())
    except _EPCPY_ERRORS as e:
        raise InvalidIdentifier(f"EPC {hex_text}: not a valid {scheme.upper()}: {e}") from e


def epc_from_tag_uri(uri: str) -> Epc:
    """`urn:epc:tag:sgtin-96:1.0614141.812345.6789` -> Epc. Raises InvalidIdentifier."""
    match = re.fullmatch(r"urn:epc:tag:([a-z]+-(?:\d+|var)):(?:(\d+)\.)?.+", uri)
    if not match:
        raise InvalidIdentifier(f"{uri!r} is not an EPC tag URI")
    scheme = match[1]
    try:
        if scheme == "gid-96":
            decoded = epc_pure_identity_to_tag_encodable(
                uri.replace("urn:epc:tag:gid-96:", "urn:epc:id:gid:")
            )
            return _classic(decoded, scheme, 0)
        return _classic(tag_uri_to_tag_encodable(uri), scheme, int(match[2] or 0))
    except _EPCPY_ERRORS as e:
        raise InvalidIdentifier(f"{uri!r} is not a valid tag URI: {e}") from e


def epc_from_uri(uri: str, scheme: str | None = None, filter_value: int = 0) -> Epc:
    """Pure identity URI -> Epc, in `scheme` or the shortest classic one that fits. Raises
    InvalidIdentifier."""
    match = re.fullmatch(r"urn:epc:id:([a-z]+):.+", uri)
    if not match:
        raise InvalidIdentifier(f"{uri!r} is not an EPC pure identity URI")
    try:
        decoded = epc_pure_identity_to_tag_encodable(uri)
    except _EPCPY_ERRORS as e:
        raise InvalidIdentifier(f"{uri!r} is not a valid EPC: {e}") from e
    names = (
        [scheme] if scheme else [name for name, _, _ in _CLASSIC.values() if name.split("-")[0] == match[1]]
    )
    problem: Exception | None = None
    for name in names:
        try:
            return _classic(decoded, name, filter_value)
        except _EPCPY_ERRORS as e:
            problem = e
    raise InvalidIdentifier(
        f"{uri!r} does not fit into {' or '.join(names) or match[1]}: {problem}"
    ) from problem


def epc_from_elements(
    elements: Elements,
    company_prefix_length: int | None = None,
    scheme: str | None = None,
    filter_value: int = 0,
) -> Epc:
    """GS1 elements -> Epc: with a company prefix length in a classic scheme, without one in a "+" scheme.

    The length cannot be seen in the key; who was given the prefix knows it. Raises InvalidIdentifier."""
    elements = verified(elements)
    ais = [ai for ai, _ in elements]
    if company_prefix_length is None:
        fits = [
            name
            for name, (_, fields) in epc_plus.SCHEMES.items()
            if ais[: len(fields)] == [ai for ai, _ in fields]
        ]
        name = scheme or next((fit for fit in fits if fit != "dsgtin+"), None)
        if name is None:
            raise InvalidIdentifier(f"{to_human(elements)}: no EPC scheme carries this")
        return epc_from_hex(epc_plus.encode(name, elements, filter_value))
    if not 6 <= company_prefix_length <= 12:
        raise InvalidIdentifier(f"a company prefix has 6 to 12 digits, not {company_prefix_length}")
    family = (
        scheme.split("-")[0] if scheme else next((f for f, a in _SCHEME_AIS.items() if list(a) == ais), None)
    )
    if ais == ["414"]:
        family, elements = "sgln", (*elements, ("254", "0"))
    if family is None:
        raise InvalidIdentifier(f"{to_human(elements)}: no classic EPC scheme carries this")
    try:
        maker: Any = EPC_SCHEME_IDENTIFIERS[family]
        decoded = maker.from_gs1_element_string(to_human(elements), company_prefix_length)
    except _EPCPY_ERRORS as e:
        raise InvalidIdentifier(f"{to_human(elements)} is not a valid {family.upper()}: {e}") from e
    return epc_from_uri(decoded.epc_uri, scheme, filter_value)


def sgtin96_hex(gtin: str, company_prefix_length: int, serial: int | str, filter_value: int = 0) -> str:
    """EPC memory of one unit (or one case, with the case's GTIN). `serial`: below 2**38, no leading zeros."""
    elements = (("01", gtin14(gtin)), ("21", str(serial)))
    return epc_from_elements(elements, company_prefix_length, "sgtin-96", filter_value).hex


def sscc96_hex(sscc: str, company_prefix_length: int, filter_value: int = 0) -> str:
    """EPC memory of one logistic unit."""
    if len(sscc) != 18:
        raise InvalidIdentifier(f"SSCC {sscc!r}: an SSCC has 18 digits")
    elements = (("00", require_check_digit(sscc, "SSCC")),)
    return epc_from_elements(elements, company_prefix_length, "sscc-96", filter_value).hex


def _adi_tag_uri(bits: str) -> str:
    """Six-bit characters, zero ends part number and serial; epcpy looks for the zeros unaligned."""
    codes = [int(bits[i : i + 6], 2) for i in range(14, len(bits) - 5, 6)]
    text = "".join("\0" if code == 0 else chr(code if code >= 32 else code + 64) for code in codes)
    part, _, rest = text[6:].partition("\0")
    serial, end, _ = rest.partition("\0")
    if not end:
        raise InvalidIdentifier("the ADI ends before its serial does")
    escaped = (value.replace("#", "%23").replace("/", "%2F") for value in (part, serial))
    return f"urn:epc:tag:adi-var:{int(bits[8:14], 2)}.{text[:6].strip()}.{'.'.join(escaped)}"


def _classic(decoded: Any, scheme: str, filter_value: int, memory_hex: str | None = None) -> Epc:
    """epcpy's object -> Epc. Its coding schemes and filter values are enums named by value."""
    arguments: dict[str, Enum] = {"binary_coding_scheme": type(decoded).BinaryCodingScheme(scheme)}
    if scheme != "gid-96":
        arguments["filter_value"] = _filter_enum(decoded)(str(filter_value))
    tag_uri = decoded.tag_uri(**arguments)
    if memory_hex is None:
        memory_hex = _word_hex(decoded.binary(**arguments))
    return Epc(
        memory_hex,
        scheme,
        filter_value,
        _elements_of(decoded, scheme.split("-")[0]),
        decoded.epc_uri,
        tag_uri,
    )


def _filter_enum(decoded: Any) -> Any:
    module = sys.modules[type(decoded).__module__]
    return getattr(module, f"{type(decoded).__name__}FilterValue")


def _elements_of(decoded: Any, family: str) -> Elements:
    """epcpy writes `(ai)value(ai)value`; only the family tells where the second value starts."""
    if family not in _SCHEME_AIS:
        return ()
    text, ais = decoded.gs1_element_string(), _SCHEME_AIS[family]
    first = text.removeprefix(f"({ais[0]})")
    if len(ais) == 1:
        return ((ais[0], first),)
    first, _, second = first.partition(f"({ais[1]})")
    if family == "sgln" and second == "0":  # the reserved extension of a GLN without one (TDS 14.6.3)
        return ((ais[0], first),)
    return (ais[0], first), (ais[1], second)


def _word_hex(bits: str) -> str:
    bits += "0" * (-len(bits) % 16)
    return f"{int(bits, 2):0{len(bits) // 4}X}"
