"""Tags and license plates: what an EPC stands for, and what stands on a pallet, case, carton or tote.

`identify` answers for many EPCs at once (a portal's passage); `commission`, `retag` and `decommission` are the life
of a tag; an EPC that nobody registered is kept by `note_unknown` with its reads until a person claims it. A tag's
meaning is never overwritten: a new tag replaces an old one.
"""

from backend.catalog.tags.commission import NewTag, commission, decommission, read_epc, retag
from backend.catalog.tags.identify import KnownTag, identify
from backend.catalog.tags.plates import NewPlate, PlateContent, create_plate, create_plates
from backend.catalog.tags.unknown import note_unknown, settle_unknown

__all__ = [
    "KnownTag",
    "NewPlate",
    "NewTag",
    "PlateContent",
    "commission",
    "create_plate",
    "create_plates",
    "decommission",
    "identify",
    "note_unknown",
    "read_epc",
    "retag",
    "settle_unknown",
]
