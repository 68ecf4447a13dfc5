"""Devices that are not there but speak the real bytes, and a room full of tags for their antennas.

Drivers cannot tell the difference: they get a host and port, or a device path. `scene` holds what is where,
`radio` says what an antenna hears, the rest are the devices. Each can misbehave on request.
"""

from device_drivers.emulator.gps import EmulatedGps
from device_drivers.emulator.modbus import EmulatedModbus
from device_drivers.emulator.radio import Antenna, Radio
from device_drivers.emulator.reader import EmulatedReader
from device_drivers.emulator.scale import EmulatedScale
from device_drivers.emulator.scanner import EmulatedScanner
from device_drivers.emulator.scene import Scene, WorldClock

__all__ = [
    "Antenna",
    "EmulatedGps",
    "EmulatedModbus",
    "EmulatedReader",
    "EmulatedScale",
    "EmulatedScanner",
    "Radio",
    "Scene",
    "WorldClock",
]
