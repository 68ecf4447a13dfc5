"""GS1 identifiers: what a tag, a barcode or a link says, and how to say it in the other forms.

One identifier has five faces: EPC hexadecimal, EPC pure identity URI and tag URI, GS1 element string (human
readable and FNC1), GS1 Digital Link. `epc_from_hex`, `epc_from_uri`, `epc_from_tag_uri` and
`epc_from_elements` give an `Epc` that has them all; `parse_scan` reads whatever a barcode scanner or a
person enters. Import from here, not from the modules. A new "+" scheme is a line in `epc_plus.SCHEMES`.
"""

from device_drivers.gs1.checks import (
    InvalidIdentifier,
    check_digit,
    gtin14,
    is_valid_gln,
    is_valid_gtin,
    is_valid_sscc,
    sscc_with_check_digit,
)
from device_drivers.gs1.elements import (
    FNC1,
    Elements,
    from_digital_link,
    from_fnc1,
    from_human,
    to_digital_link,
    to_fnc1,
    to_human,
)
from device_drivers.gs1.epc import (
    Epc,
    epc_from_elements,
    epc_from_hex,
    epc_from_tag_uri,
    epc_from_uri,
    sgtin96_hex,
    sscc96_hex,
)
from device_drivers.gs1.scan import Scan, parse_scan

__all__ = [
    "FNC1",
    "Elements",
    "Epc",
    "InvalidIdentifier",
    "Scan",
    "check_digit",
    "epc_from_elements",
    "epc_from_hex",
    "epc_from_tag_uri",
    "epc_from_uri",
    "from_digital_link",
    "from_fnc1",
    "from_human",
    "gtin14",
    "is_valid_gln",
    "is_valid_gtin",
    "is_valid_sscc",
    "parse_scan",
    "sgtin96_hex",
    "sscc96_hex",
    "sscc_with_check_digit",
    "to_digital_link",
    "to_fnc1",
    "to_human",
]
