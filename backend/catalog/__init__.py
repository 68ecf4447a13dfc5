"""Master data: sites, places, items with their packs and codes, partners, lots, and what a scanned code means."""

from backend.catalog.codes import Resolved, UnknownCode, epc_meaning, resolve_code
from backend.catalog.lots import LotExpiryDiffers, lot_of
from backend.catalog.sites import create_site

__all__ = [
    "LotExpiryDiffers",
    "Resolved",
    "UnknownCode",
    "create_site",
    "epc_meaning",
    "lot_of",
    "resolve_code",
]
