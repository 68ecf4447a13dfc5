"""What an event does: the map of ingest.

`HANDLERS` get one event each, in the order of the agent's numbers, in a savepoint of their own: what one refuses
becomes a dead letter and the rest goes on. `BULK_HANDLERS` get all events of a batch at once: observations, which
move no stock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from backend import devices, dispatch, packing, receiving, shipping, telemetry
from backend.context import Context
from backend.db import Conn
from backend.devices.dead_letters import Unacceptable
from backend.devices.registry import Arrival, DeviceRow
from edge.messages import Event, PositionReported, TagsPassed

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
    (receiving.on_tags_passed if inbound else shipping.on_tags_passed)(conn, ctx, device, event, data)


def at_place(handler: Handler) -> Handler:
    """For benches: a device that stands nowhere leaves evidence only."""

    def handle(conn: Conn, ctx: Context, device: DeviceRow, event: Event, data: Any) -> None:
        if device.place_id is not None:
            handler(conn, ctx, device, event, data)

    return handle


HANDLERS: dict[str, Handler] = {
    "tags_passed": on_tags_passed,
    "barcode_scanned": at_place(packing.on_barcode_scanned),
    "weighed": at_place(packing.on_weighed),
    "frame_rejected": devices.on_frame_rejected,
    "device_state_changed": devices.on_device_state_changed,
}


def on_positions(conn: Conn, arrivals: Sequence[Arrival]) -> None:
    """The track, and then what each position means for the route its vehicle is on, in the agent's order."""
    telemetry.on_positions(conn, arrivals)
    for a in arrivals:
        assert isinstance(a.data, PositionReported)
        dispatch.on_position(conn, a.ctx, a.event, a.data)


BULK_HANDLERS: dict[str, BulkHandler] = {
    "tags_seen": telemetry.on_tags_seen,
    "measured": telemetry.on_measured,
    "position_reported": on_positions,
}

# `events_lost` speaks of the agent, not of a device: see commit.py
