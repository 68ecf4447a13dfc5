"""Pure planning: matrices, delivery routes, pick paths, geofences. No database, no HTTP server, no clock."""

from routing.check import check as check
from routing.solve import solve as solve
