"""Agents, their devices, what they say of themselves, and the messages nobody could read (dead letters).

An agent is created with a one-time code, exchanges it for a secret, and has one account at the broker until it
is revoked (`broker_access` writes the broker's files). A device is registered by hand or by its agent's status.
"""

from backend.devices.agents import (
    CreatedAgent,
    Enrolled,
    broker_access,
    create_agent,
    enrol,
    revoke_agent,
    rotate_secret,
)
from backend.devices.dead_letters import Unacceptable, bury
from backend.devices.registry import Arrival, DeviceRow, devices_of, register_device
from backend.devices.status import on_device_state_changed, on_events_lost, on_frame_rejected, take_status

__all__ = [
    "Arrival",
    "CreatedAgent",
    "DeviceRow",
    "Enrolled",
    "Unacceptable",
    "broker_access",
    "bury",
    "create_agent",
    "devices_of",
    "enrol",
    "on_device_state_changed",
    "on_events_lost",
    "on_frame_rejected",
    "register_device",
    "revoke_agent",
    "rotate_secret",
    "take_status",
]
