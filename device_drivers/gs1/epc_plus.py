"""The "+" schemes of EPC Tag Data Standard 2.x (SGTIN+, SSCC+, DSGTIN+ ...): bits <-> GS1 element strings.

They carry application identifiers as they are, without a partition table: header, one bit "more data
follows the EPC", three bits filter, then the fields of `SCHEMES` (TDS 14.5, 14.6, tables B, E, F). A scheme
is a line there. Data behind the EPC ("+AIDC data") is read for the identifiers in `AIDC`; at an unknown one
reading stops.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from device_drivers.gs1.checks import InvalidIdentifier
from device_drivers.gs1.elements import Elements

DATE_AIS = {0: "11", 1: "13", 2: "15", 3: "16", 4: "17", 5: "7006", 6: "7007"}
"""Prioritised date of DSGTIN+ (TDS 14.5.3): date type -> application identifier."""

_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_CODE40 = "\0ABCDEFGHIJKLMNOPQRSTUVWXYZ-.:0123456789"
_ASCII = frozenset("!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz#")


class _Bits:
    """Reads fields from the left. Running out of bits is an InvalidIdentifier, never a guess."""

    def __init__(self, bits: str) -> None:
        self._bits = bits
        self.position = 0

    def take(self, count: int) -> int:
        end = self.position + count
        if end > len(self._bits):
            raise InvalidIdentifier(
                f"the EPC ends after {len(self._bits)} bits inside a field that needs {end}"
            )
        value = self._bits[self.position : end]
        self.position = end
        return int(value, 2) if value else 0

    def rest(self) -> str:
        return self._bits[self.position :]


# --- one reader and one writer for each encoding method -----------------------------------------------------


def _read_digits(bits: _Bits, count: int) -> str:
    """Fixed-length numeric, four bits a digit (14.5.4)."""
    digits = [bits.take(4) for _ in range(count)]
    if any(d > 9 for d in digits):
        raise InvalidIdentifier(
            f"{''.join(f'{d:X}' for d in digits)} stands where {count} decimal digits are expected"
        )
    return "".join(str(d) for d in digits)


def _write_digits(value: str, count: int) -> str:
    if len(value) != count or not (value.isascii() and value.isdigit()):
        raise InvalidIdentifier(f"{value!r}: expected {count} digits")
    return "".join(f"{int(d):04b}" for d in value)


def _integer_bits(digits: int) -> int:
    return int(10**digits - 1).bit_length()


def _read_integer(bits: _Bits, count: int) -> str:
    value = str(bits.take(_integer_bits(count)) if count else "").zfill(count)
    if len(value) > count:
        raise InvalidIdentifier(f"{value} has more than the {count} digits that its length field gives")
    return value


def _read_code40(bits: _Bits, count: int) -> str:
    text = ""
    for _ in range(ceil(count / 3)):
        group = bits.take(16) - 1
        if not 0 <= group < 64000:
            raise InvalidIdentifier(f"{group + 1} is not a group of URN Code 40")
        text += _CODE40[group // 1600] + _CODE40[group // 40 % 40] + _CODE40[group % 40]
    if text[count:].strip("\0") or "\0" in text[:count]:
        raise InvalidIdentifier("padding inside a URN Code 40 value")
    return text[:count]


def _write_code40(text: str) -> str:
    padded = text + "\0" * (-len(text) % 3)
    places = [_CODE40.index(c) for c in padded]
    groups = [
        1600 * a + 40 * b + c + 1 for a, b, c in zip(places[::3], places[1::3], places[2::3], strict=True)
    ]
    return "".join(f"{group:016b}" for group in groups)


def _read_ascii(bits: _Bits, count: int) -> str:
    text = "".join(chr(bits.take(7)) for _ in range(count))
    if not _ASCII.issuperset(text):
        raise InvalidIdentifier(f"{text!r} has characters that GS1 does not allow")
    return text


_Method = tuple[str, Callable[[_Bits, int], str], Callable[[str], str]]

_METHODS: dict[int, _Method] = {
    0: ("0123456789", _read_integer, lambda text: f"{int(text):0{_integer_bits(len(text))}b}"),
    1: (
        "0123456789ABCDEF",
        lambda bits, count: "".join(f"{bits.take(4):X}" for _ in range(count)),
        lambda text: "".join(f"{int(c, 16):04b}" for c in text),
    ),
    2: (
        "0123456789abcdef",
        lambda bits, count: "".join(f"{bits.take(4):x}" for _ in range(count)),
        lambda text: "".join(f"{int(c, 16):04b}" for c in text),
    ),
    3: (
        _BASE64,
        lambda bits, count: "".join(_BASE64[bits.take(6)] for _ in range(count)),
        lambda text: "".join(f"{_BASE64.index(c):06b}" for c in text),
    ),
    4: ("".join(sorted(_ASCII)), _read_ascii, lambda text: "".join(f"{ord(c):07b}" for c in text)),
    5: (_CODE40[1:], _read_code40, _write_code40),
}
"""Encoding indicator -> permitted characters, reader, writer (table E)."""


def _read_text(bits: _Bits, maximum: int, length_bits: int = 5) -> str:
    """Variable-length alphanumeric (14.5.6): encoding indicator, length, characters."""
    indicator = bits.take(3)
    if indicator not in _METHODS:
        raise InvalidIdentifier(f"encoding indicator {indicator} is reserved")
    count = bits.take(length_bits)
    if not 1 <= count <= maximum:
        raise InvalidIdentifier(f"a value of {count} characters where 1 to {maximum} are allowed")
    return _METHODS[indicator][1](bits, count)


def _write_text(value: str, maximum: int, length_bits: int = 5) -> str:
    """The shortest permitted encoding."""
    if not 1 <= len(value) <= maximum:
        raise InvalidIdentifier(f"{value!r}: 1 to {maximum} characters are allowed")
    encoded = [
        f"{indicator:03b}{len(value):0{length_bits}b}{write(value)}"
        for indicator, (characters, _, write) in _METHODS.items()
        if set(value) <= set(characters)
    ]
    if not encoded:
        raise InvalidIdentifier(f"{value!r} has characters that GS1 does not allow")
    return min(encoded, key=len)


def _read_counted_digits(bits: _Bits, maximum: int) -> str:
    """Variable-length numeric without encoding indicator (14.5.13), four bits length."""
    count = bits.take(4)
    if count > maximum:
        raise InvalidIdentifier(f"a number of {count} digits where {maximum} are allowed")
    return _read_integer(bits, count)


def _write_counted_digits(value: str, maximum: int) -> str:
    if len(value) > maximum or (value and not (value.isascii() and value.isdigit())):
        raise InvalidIdentifier(f"{value!r}: up to {maximum} digits are allowed")
    return f"{len(value):04b}" + (f"{int(value):0{_integer_bits(len(value))}b}" if value else "")


def _read_delimited(bits: _Bits, maximum: int) -> str:
    """Delimited/terminated numeric (14.5.5): digits, then F, or E and the rest as text."""
    digits = ""
    while (nibble := bits.take(4)) <= 9:
        digits += str(nibble)
    if nibble == 0xE:
        digits += _read_text(bits, maximum)
    elif nibble != 0xF:
        raise InvalidIdentifier(f"{nibble:X} is neither a digit nor a delimiter")
    if not 1 <= len(digits) <= maximum:
        raise InvalidIdentifier(f"a value of {len(digits)} characters where 1 to {maximum} are allowed")
    return digits


def _write_delimited(value: str, maximum: int) -> str:
    text = value.lstrip("0123456789")
    digits = value[: len(value) - len(text)]
    if not digits or len(value) > maximum:
        raise InvalidIdentifier(f"{value!r}: starts with a digit and has at most {maximum} characters")
    return _write_digits(digits, len(digits)) + ("1110" + _write_text(text, maximum) if text else "1111")


def _read_date(bits: _Bits) -> str:
    return f"{bits.take(7):02d}{bits.take(4):02d}{bits.take(5):02d}"


def _write_date(value: str) -> str:
    if len(value) != 6 or not (value.isascii() and value.isdigit()):
        raise InvalidIdentifier(f"{value!r}: a date is YYMMDD")
    return f"{int(value[:2]):07b}{int(value[2:4]):04b}{int(value[4:]):05b}"


# --- fields and schemes -------------------------------------------------------------------------------------

_Field = tuple[Callable[[_Bits], str], Callable[[str], str]]


def _fixed(count: int) -> _Field:
    return lambda bits: _read_digits(bits, count), lambda value: _write_digits(value, count)


def _text(maximum: int) -> _Field:
    return lambda bits: _read_text(bits, maximum), lambda value: _write_text(value, maximum)


def _delimited(maximum: int) -> _Field:
    return lambda bits: _read_delimited(bits, maximum), lambda value: _write_delimited(value, maximum)


def _counted(maximum: int) -> _Field:
    return lambda bits: _read_counted_digits(bits, maximum), lambda value: _write_counted_digits(
        value, maximum
    )


def _then(digits: int, second: _Field) -> _Field:
    """A key of fixed digits with a serial component behind it, in one application identifier."""
    return (
        lambda bits: _read_digits(bits, digits) + second[0](bits),
        lambda value: _write_digits(value[:digits], digits) + second[1](value[digits:]),
    )


_DATE: _Field = (_read_date, _write_date)

SCHEMES: dict[str, tuple[int, tuple[tuple[str, _Field], ...]]] = {
    "cpi+": (0xF0, (("8010", _delimited(30)), ("8011", _counted(12)))),
    "grai+": (0xF1, (("8003", _then(14, _text(16))),)),
    "sgln+": (0xF2, (("414", _fixed(13)), ("254", _text(20)))),
    "itip+": (0xF3, (("8006", _fixed(18)), ("21", _text(20)))),
    "gsrn+": (0xF4, (("8018", _fixed(18)),)),
    "gsrnp+": (0xF5, (("8017", _fixed(18)),)),
    "gdti+": (0xF6, (("253", _then(13, _text(17))),)),
    "sgtin+": (0xF7, (("01", _fixed(14)), ("21", _text(20)))),
    "sgcn+": (0xF8, (("255", _then(13, _counted(12))),)),
    "sscc+": (0xF9, (("00", _fixed(18)),)),
    "giai+": (0xFA, (("8004", _delimited(30)),)),
    "dsgtin+": (0xFB, (("01", _fixed(14)), ("21", _text(20)))),
}
"""Scheme -> header, fields in order. DSGTIN+ has its date before them."""

AIDC: dict[str, _Field] = {
    **dict.fromkeys(("11", "12", "13", "15", "16", "17"), _DATE),
    "00": _fixed(18),
    "01": _fixed(14),
    "02": _fixed(14),
    "10": _text(20),
    "20": _fixed(2),
    "21": _text(20),
    "22": _text(20),
}
"""What may follow the EPC and is understood: dates, lot, serial, keys."""

HEADERS = {header: scheme for scheme, (header, _) in SCHEMES.items()}


def decode(data: bytes) -> tuple[str, int, Elements]:
    """Bytes of EPC memory -> (scheme, filter value, elements). Raises InvalidIdentifier."""
    bits = _Bits("".join(f"{byte:08b}" for byte in data))
    scheme = HEADERS[bits.take(8)]
    more_follows = bits.take(1)
    filter_value = bits.take(3)
    date: Elements = ()
    if scheme == "dsgtin+":
        kind = bits.take(4)
        if kind not in DATE_AIS:
            raise InvalidIdentifier(f"date type {kind} is reserved")
        date = ((DATE_AIS[kind], _read_date(bits)),)
    elements = tuple((ai, read(bits)) for ai, (read, _) in SCHEMES[scheme][1]) + date
    if more_follows:
        return scheme, filter_value, elements + _read_aidc(bits)
    if "1" in bits.rest():
        raise InvalidIdentifier(f"bits behind the end of the {scheme.upper()} that should be zero")
    return scheme, filter_value, elements


def _read_aidc(bits: _Bits) -> Elements:
    elements: list[tuple[str, str]] = []
    while len(bits.rest()) >= 16 and "1" in bits.rest():
        ai = _read_digits(bits, 2)
        if ai not in AIDC:
            break
        elements.append((ai, AIDC[ai][0](bits)))
    return tuple(elements)


def encode(scheme: str, elements: Elements, filter_value: int = 0) -> str:
    """Elements -> upper-case hexadecimal of EPC memory in 16-bit words. Raises InvalidIdentifier.

    Elements that are not part of the scheme (lot, expiry) follow as +AIDC data."""
    header, fields = SCHEMES[scheme]
    values = dict(elements)
    missing = [ai for ai, _ in fields if ai not in values]
    if missing:
        raise InvalidIdentifier(f"{scheme.upper()} needs ({'), ('.join(missing)})")
    body = ""
    if scheme == "dsgtin+":
        kind, ai = next(((k, a) for k, a in DATE_AIS.items() if a in values), (None, ""))
        if kind is None:
            raise InvalidIdentifier("DSGTIN+ needs a date, such as (17)")
        body += f"{kind:04b}{_write_date(values.pop(ai))}"
    for ai, (_, write) in fields:
        body += write(values.pop(ai))
    unknown = [ai for ai in values if ai not in AIDC]
    if unknown:
        raise InvalidIdentifier(f"({'), ('.join(unknown)}) cannot follow a {scheme.upper()} here")
    more = "".join(_write_digits(ai, 2) + AIDC[ai][1](value) for ai, value in values.items())
    bits = f"{header:08b}{1 if more else 0}{filter_value & 7:03b}{body}{more}"
    bits += "0" * (-len(bits) % 16)
    return f"{int(bits, 2):0{len(bits) // 4}X}"
