"""The demo's building: 60 m by 40 m, doors on the south side, four aisles of shelves, a cold room in the north-east.

Coordinates are metres from the north-west corner: x to the east, y to the south.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

WIDTH_M, DEPTH_M = 60.0, 40.0


@dataclass(frozen=True)
class Spot:
    code: str
    kind: str
    name: str
    x_m: float
    y_m: float
    width_m: float
    depth_m: float
    parent: str | None = "BUILDING"
    storage_class: str = "ambient"
    erp_location: str | None = None
    holds_stock: bool = True
    max_units: int | None = None
    pick_sequence: int | None = None


AISLES = "ABCD"
BAYS, LEVELS = 6, 2
DOORS = ("DOCK-1", "DOCK-2", "DOCK-3")


def places() -> Iterator[Spot]:
    """Parents before their children. Pick sequence follows an S through the aisles."""
    yield Spot(
        "BUILDING",
        "building",
        "Helsinki warehouse",
        0,
        0,
        WIDTH_M,
        DEPTH_M,
        None,
        erp_location="STO",
        holds_stock=False,
    )
    yield Spot("AMBIENT", "zone", "Ambient shelves", 2, 1, 38, 25, holds_stock=False)
    yield Spot(
        "COLD",
        "zone",
        "Cold room 2-8 °C",
        44,
        1,
        14,
        17,
        storage_class="chilled",
        erp_location="COLD",
        holds_stock=False,
    )
    yield Spot("QUAR-1", "quarantine", "Quarantine", 44, 20, 14, 6, erp_location="QUA")
    yield Spot("STAGE-IN", "staging", "Inbound staging", 3, 28, 20, 6)
    yield Spot("BENCH-1", "pack_bench", "Packing bench 1", 25, 28, 7, 5)
    yield Spot("BENCH-2", "pack_bench", "Packing bench 2", 33.5, 28, 7, 5)
    yield Spot("STAGE-OUT", "staging", "Outbound staging", 42, 28, 15, 6)
    for code, name, x in (
        ("DOCK-1", "Inbound door 1", 6.0),
        ("DOCK-2", "Inbound door 2", 13.0),
        ("DOCK-3", "Outbound door 3", 47.0),
    ):
        yield Spot(code, "dock_door", name, x, 37, 4, 3)
    sequence = 0
    for a, aisle in enumerate(AISLES):
        bays = range(1, BAYS + 1) if a % 2 == 0 else range(BAYS, 0, -1)
        for bay in bays:
            for level in range(1, LEVELS + 1):
                sequence += 10
                yield Spot(f"{aisle}-{bay:02d}-{level}", "bin", f"Aisle {aisle}, bay {bay}, level {level}", 3 + 6 * (bay - 1),
                           4 + 5.6 * a + 2 * (level - 1), 5.4, 1.8, "AMBIENT", max_units=800, pick_sequence=sequence)  # fmt: skip
    for bay in range(1, 4):
        for level in range(1, 4):
            sequence += 10
            yield Spot(f"K-{bay:02d}-{level}", "bin", f"Cold room, bay {bay}, level {level}", 45 + 4.2 * (bay - 1), 4 + 3.4 * (level - 1),
                       3.8, 3.0, "COLD", "chilled", max_units=600, pick_sequence=sequence)  # fmt: skip
