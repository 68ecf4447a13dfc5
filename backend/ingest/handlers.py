"""What an event does: the map of ingest.

`HANDLERS` get one event each, in the order of the agent's numbers, in a savepoint of their own: what one refuses
becomes a dead letter and the rest goes on. `BULK_HANDLERS` get all events of a batch at once: observations, which
move no stock. A slice that is not there (yet) is skipped: the event stays as evidence.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from backend import devices, telemetry
from backend.context import Context
from backend.db import Conn
from backend.devices.dead_letters import Unacceptable
from backend.devices.registry import Arrival, DeviceRow
from edge.messages import Event, TagsPassed

Handler = Callable[[Conn, Context, DeviceRow, Event, Any], None]
BulkHandler = Callable[[Conn, Sequence[Arrival]], None]


def on_tags_passed(conn: Conn, ctx: Context, device: DeviceRow, event: Event, data: TagsPassed) -> None:
    """Inwards is a receipt, outwards a loading, unless the door is for one of the two only."""
    if device.purpose == "none":
        return
    if device.place_id is None:
        raise Unacceptable(
            "no_place", f"The portal {device.code} stands nowhere: give it its door on the devices screen, then retry."
        )  # fmt: skip
    inbound = device.purpose == "inbound" or (device.purpose == "both" and data.direction == "in")
    _call(
        "backend.receiving" if inbound else "backend.shipping",
        "on_tags_passed",
        conn,
        ctx,
        device,
        event,
        data,
    )


def at_place(module: str, function: str) -> Handler:
    """For benches: a device that stands nowhere leaves evidence only."""

    def handle(conn: Conn, ctx: Context, device: DeviceRow, event: Event, data: Any) -> None:
        if device.place_id is not None:
            _call(module, function, conn, ctx, device, event, data)

    return handle


HANDLERS: dict[str, Handler] = {
    "tags_passed": on_tags_passed,
    "barcode_scanned": at_place("backend.packing", "on_barcode_scanned"),
    "weighed": at_place("backend.packing", "on_weighed"),
    "frame_rejected": devices.on_frame_rejected,
    "device_state_changed": devices.on_device_state_changed,
}

BULK_HANDLERS: dict[str, BulkHandler] = {
    "tags_seen": telemetry.on_tags_seen,
    "measured": telemetry.on_measured,
}

# `events_lost` speaks of the agent, not of a device: see commit.py


def _call(module: str, function: str, *args: Any) -> None:
    handler = _slice_function(module, function)
    if handler is not None:
        handler(*args)


@cache
def _slice_function(module: str, function: str) -> Callable[..., None] | None:
    """The slices are built on their own: a missing one is no fault, a broken one is."""
    if importlib.util.find_spec(module) is None:
        return None
    found: Callable[..., None] | None = getattr(importlib.import_module(module), function, None)
    return found
