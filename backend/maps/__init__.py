"""The map: roads, addresses and the pictures of both, from OpenStreetMap, for planning and for the screens.

`configure` is called once by each program; everything else asks here and never reads a setting. The parts may come up
later than the program: `roads()` raises `RoadsDown` with a sentence until then, `addresses()` and `tiles()` are None.
"""

from backend.maps.configured import addresses, configure, info, roads, tiles

__all__ = ["addresses", "configure", "info", "roads", "tiles"]
