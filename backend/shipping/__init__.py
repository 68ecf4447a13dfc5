"""Shipping: which orders leave on which vehicle, loaded carton by carton, confirmed by the portal, gone at departure.

A closed carton has a shipment at once; a dispatcher may put several orders on one vehicle at one door. The portal at the
door says what really went (`on_tags_passed`): what belongs is loaded, what does not is a discrepancy and an alert, and the
books follow what was seen. The customer's goods issue is posted at departure, with the shipment as its cause.
"""

from backend.shipping.depart import depart
from backend.shipping.load import WrongVehicle, load, unload
from backend.shipping.plan import assign, on_carton_closed, on_order_cancelled, plan
from backend.shipping.portal import on_tags_passed
from backend.shipping.shipment import Shipment, ShipmentCarton, ShipmentOrder, shipment

__all__ = [
    "Shipment",
    "ShipmentCarton",
    "ShipmentOrder",
    "WrongVehicle",
    "assign",
    "depart",
    "load",
    "on_carton_closed",
    "on_order_cancelled",
    "on_tags_passed",
    "plan",
    "shipment",
    "unload",
]
