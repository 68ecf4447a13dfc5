"""Receiving: delivery notices (ASN), receipts, and how portals and handhelds fill them.

A portal's passages become one receipt against the right ASN (`on_tags_passed`); a person's scans go into the same
kind of receipt (`scan`). Stock moves from the supplier to the dock door when it is counted, and each tag, SSCC and
serial counts once. Rules for what a portal cannot know are written at the top of `portal.py`.
"""

from backend.receiving.asn import (
    AsnContent,
    AsnLine,
    AsnPlate,
    AsnTag,
    Expected,
    NewAsn,
    cancel_asn,
    expect,
    expected,
    find_by_number,
    search,
)
from backend.receiving.claim import claim_unknown
from backend.receiving.close import close_receipt, close_silent
from backend.receiving.handheld import NewScan, Scanned, scan
from backend.receiving.portal import on_tags_passed
from backend.receiving.receipt import NewReceipt, open_receipt, source_of_receipt

__all__ = [
    "AsnContent",
    "AsnLine",
    "AsnPlate",
    "AsnTag",
    "Expected",
    "NewAsn",
    "NewReceipt",
    "NewScan",
    "Scanned",
    "cancel_asn",
    "claim_unknown",
    "close_receipt",
    "close_silent",
    "expect",
    "expected",
    "find_by_number",
    "on_tags_passed",
    "open_receipt",
    "scan",
    "search",
    "source_of_receipt",
]
