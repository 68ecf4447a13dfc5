"""What Impinj adds to LLRP (vendor 25882): switches that a reader needs, and what its tag reports then
carry."""

from __future__ import annotations

import struct
from typing import Final

from device_drivers.llrp.codec import Element, Message, element, message

VENDOR: Final = 25882
ENABLE_EXTENSIONS: Final = 21
ENABLE_EXTENSIONS_RESPONSE: Final = 22

SEARCH_MODE: Final = 23
CONTENT_SELECTOR: Final = 50
ENABLE_PHASE: Final = 52
ENABLE_PEAK_RSSI: Final = 53
PHASE: Final = 56
"""u16, 4096 for one turn."""
PEAK_RSSI: Final = 57
"""s16, hundredths of a dBm."""
ENABLE_DOPPLER: Final = 67
DOPPLER: Final = 68
"""s16, sixteenths of a hertz."""

SEARCH_MODES: Final = {"reader_selected": 0, "single_target": 1, "dual_target": 2, "tag_focus": 3}


def custom(subtype: int, data: bytes) -> Element:
    return element("Custom", VendorIdentifier=VENDOR, ParameterSubtype=subtype, Data=data)


def enable_extensions(message_id: int) -> Message:
    return message(
        "CUSTOM_MESSAGE",
        message_id,
        VendorIdentifier=VENDOR,
        MessageSubtype=ENABLE_EXTENSIONS,
        Data=bytes(4),  # reserved
    )


def content_selector() -> Element:
    """Asks for phase, fine RSSI and Doppler in each report."""
    wanted = b"".join(
        struct.pack(">HHIIH", 1023, 14, VENDOR, subtype, 1)
        for subtype in (ENABLE_PHASE, ENABLE_PEAK_RSSI, ENABLE_DOPPLER)
    )
    return custom(CONTENT_SELECTOR, wanted)


def search_mode(mode: str) -> Element:
    return custom(SEARCH_MODE, struct.pack(">H", SEARCH_MODES[mode]))
