"""Packing: an open carton for an order at a bench, every item scanned into it, its weight checked, closed with its SSCC.

The bench's own scanner and scale do their part (`on_barcode_scanned`, `on_weighed`); the screen and the handheld do the
same through the API. A carton that does not weigh what its contents weigh is not closed, unless a lead says why.
"""

from backend.packing.bench import on_barcode_scanned, on_weighed
from backend.packing.carton import Carton, CartonContent, carton, cartons_of_order, find_carton
from backend.packing.close import WeightDiffers, attach_weight, close_carton
from backend.packing.pack import (
    NotInOrder,
    on_not_inside,
    on_order_cancelled,
    open_carton,
    pack,
    set_loaded,
    set_shipped,
    set_unloaded,
    unpack,
)

__all__ = [
    "Carton",
    "CartonContent",
    "NotInOrder",
    "WeightDiffers",
    "attach_weight",
    "carton",
    "cartons_of_order",
    "close_carton",
    "find_carton",
    "on_barcode_scanned",
    "on_not_inside",
    "on_order_cancelled",
    "on_weighed",
    "open_carton",
    "pack",
    "set_loaded",
    "set_shipped",
    "set_unloaded",
    "unpack",
]
