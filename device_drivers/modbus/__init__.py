"""Modbus sensors, RTU on a serial line or TCP."""
