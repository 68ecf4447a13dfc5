"""ZPL II, the language of label printers: 4 x 6 inch SSCC labels, tote, item and location labels, packing lists.

Everything that comes from people or databases goes through `field_data`: `^` and `~` start commands in ZPL, so they
and everything outside printable ASCII are written as hexadecimal behind `^FH` (ZPL II Programming Guide, ^FH), in UTF-8
(`^CI28`). Sizes are dots at 203 dpi.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

WIDTH, HEIGHT = 812, 1218
"""4 x 6 inches."""


def field_data(text: str) -> str:
    """A field that prints `text` and nothing else: `^FH^FD...^FS`."""
    out = []
    for byte in " ".join(text.split()).encode():
        plain = 0x20 <= byte < 0x7F and byte not in b"^~_\\"
        out.append(chr(byte) if plain else f"_{byte:02X}")
    return f"^FH^FD{''.join(out)}^FS"


def text_at(x: int, y: int, size: int, text: str) -> str:
    return f"^FO{x},{y}^A0N,{size},{size}{field_data(text)}"


@dataclass(frozen=True)
class Content:
    """One line of what a license plate holds."""

    sku: str
    name: str
    quantity: Decimal
    unit: str
    lot: str | None = None
    expires_on: date | None = None
    serial: str | None = None
    gtin: str | None = None


def _label(*parts: str, height: int = HEIGHT, copies: int = 1) -> str:
    return "\n".join(["^XA", "^CI28", f"^PW{WIDTH}", f"^LL{height}", *parts, f"^PQ{copies}", "^XZ", ""])


def sscc_label(
    sscc: str,
    kind: str,
    site_name: str,
    contents: Sequence[Content],
    *,
    ship_to: str = "",
    weight_g: Decimal | None = None,
) -> str:
    """GS1 logistic label: text block, then the SSCC as GS1-128 (subset C, FNC1 as `>8`), 18 digits."""
    parts = [text_at(40, 40, 44, site_name), text_at(40, 100, 30, kind.upper())]
    if ship_to:
        parts.append(text_at(40, 150, 34, f"To: {ship_to}"))
    for n, c in enumerate(contents[:8]):
        parts.append(text_at(40, 220 + 50 * n, 30, _content_words(c)))
    if len(contents) > 8:
        parts.append(text_at(40, 620, 28, f"and {len(contents) - 8} more"))
    if weight_g is not None:
        parts.append(text_at(40, 670, 30, f"Weight {weight_g / 1000:.3f} kg"))
    parts.append(f"^FO20,720^GB{WIDTH - 40},3,3^FS")
    if _is_sscc(sscc):
        parts += [text_at(40, 750, 40, f"SSCC {sscc}"), f"^FO60,820{_barcode(sscc, 280)}",
                  text_at(150, 1120, 34, f"(00) {sscc}")]  # fmt: skip
    else:
        parts += [text_at(40, 750, 40, sscc), f"^FO60,820{_barcode(sscc, 280)}"]
    return _label(*parts)


def tote_label(code: str, site_name: str) -> str:
    """Stays on the tote whatever is in it: the code, large, and as a barcode."""
    return _label(
        text_at(40, 40, min(110, 1200 // len(code)), code),
        text_at(40, 165, 36, site_name),
        f"^FO40,225{_barcode(code, 150)}",
        height=406,
    )


def _is_sscc(code: str) -> bool:
    return len(code) == 18 and code.isdigit()


def _barcode(code: str, height: int) -> str:
    """An SSCC as GS1-128, any other code as Code 128; modules of 2 dots where 3 would leave the label."""
    if _is_sscc(code):
        return f"^BY3^BCN,{height},N,N,N^FD>;>800{code}^FS"
    return f"^BY{3 if len(code) <= 18 else 2}^BCN,{height},N,N,N,A{field_data(code)}"


def item_label(
    sku: str,
    name: str,
    gtin: str | None,
    *,
    lot: str | None = None,
    expires_on: date | None = None,
    serial: str | None = None,
) -> str:
    """GS1 DataMatrix with GTIN, expiry, lot and serial where there is a GTIN; else the SKU as Code 128."""
    parts = [text_at(40, 30, 40, name[:40]), text_at(40, 85, 32, sku)]
    if gtin:
        # fixed lengths first, so that only the lot needs a separator; _1 is FNC1 (^BX with escape character _)
        data = f"_101{gtin}" + (f"17{expires_on:%y%m%d}" if expires_on else "")
        data += f"10{lot}" if lot else ""
        data += ("_1" if lot and serial else "") + (f"21{serial}" if serial else "")
        parts += [f"^FO40,140^BXN,8,200,,,,_^FD{_datamatrix(data)}^FS", text_at(300, 150, 30, f"(01) {gtin}")]
        if lot:
            parts.append(text_at(300, 195, 30, f"(10) {lot}"))
        if expires_on:
            parts.append(text_at(300, 240, 30, f"(17) {expires_on:%y%m%d}"))
        if serial:
            parts.append(text_at(300, 285, 30, f"(21) {serial}"))
    else:
        parts.append(f"^FO40,140^BY2^BCN,140,Y,N,N,A{field_data(sku)}")
    return _label(*parts, height=406)


def _datamatrix(data: str) -> str:
    return "".join(c if c.isalnum() or c in "_-./+%&'()*,:;<=>?!\" " else f"_d{ord(c):03d}" for c in data)


def location_label(code: str, name: str, zone: str) -> str:
    return _label(
        text_at(40, 40, 110, code),
        text_at(40, 170, 36, " ".join(p for p in (zone, name if name != code else "") if p)),
        f"^FO40,230^BY3^BCN,140,N,N,N,A{field_data(code)}",
        height=406,
    )


def packing_list_label(title: str, lines: Sequence[str]) -> str:
    parts = [text_at(40, 40, 44, title)]
    parts += [text_at(40, 110 + 38 * n, 28, line) for n, line in enumerate(lines[:28])]
    return _label(*parts)


def _content_words(c: Content) -> str:
    quantity = f"{c.quantity.normalize():f} {c.unit}"
    more = "".join(
        [
            f" lot {c.lot}" if c.lot else "",
            f" exp {c.expires_on}" if c.expires_on else "",
            f" sn {c.serial}" if c.serial else "",
        ]
    )
    return f"{quantity} {c.sku} {c.name[:28]}{more}"
