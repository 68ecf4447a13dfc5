"""Jobs of the devices: a command goes out to its agent."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from backend import jobs
from backend.db import Conn
from backend.devices.commands import send


@jobs.task("devices_send_command", what="Sending a command to a device", retries=5)
def devices_send_command(
    conn: Conn, command_id: str, correlation_id: str, mqtt_url: str | None, site_id: str | None = None
) -> None:
    if mqtt_url is None:
        raise RuntimeError("The worker knows no broker: set STOWAGE_MQTT_URL for `stowage worker`, too.")
    send(conn, UUID(command_id), mqtt_url, datetime.now(UTC))
