"""Climate sensors and door contacts on one Modbus bus (RTU or TCP).

Climate: XY-MD02, SHT20 and their like, function 04, temperature and humidity in tenths. Door: any discrete input,
function 02. Each slave is asked on its own: one that is dead is reported once, asked less often, and never silences
the others, though pymodbus drops the whole bus after a few lost answers (its issues 1654, 2269).
"""

from __future__ import annotations

import logging
import time
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta
from pymodbus import FramerType, ModbusException
from pymodbus.client import ModbusSerialClient, ModbusTcpClient

from device_drivers.driver import BadOptions, Clock, DeviceLost, Driver, utc_now
from device_drivers.driver import Options as DriverOptions
from device_drivers.readings import DeviceInfo, Reading, RejectedFrame, SensorValue, SensorValues

logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)  # we say it in our own words, once

DEAD_PAUSE_S = 10.0
"""A slave that does not answer is asked again so much later, so that its time-outs do not slow the others."""

TEMPERATURE_C = (Decimal(-60), Decimal(125))
HUMIDITY_PERCENT = (Decimal(0), Decimal(100))


class Slave(DriverOptions, frozen=True, kw_only=True):
    """One address on the bus."""

    unit: Annotated[int, Meta(ge=1, le=247)]
    kind: Literal["climate", "door"] = "climate"
    channel_prefix: str = ""
    """Put before the channel, where a bus serves several rooms: `freezer_` gives freezer_temperature."""
    register: Annotated[int, Meta(ge=0, le=65534)] = 1
    """Of the temperature; humidity stands behind it."""
    negative: Literal["twos_complement", "offset_10000"] = "twos_complement"
    """How the sensor writes frost: some SHT30 send 10000 + |value|."""
    input: Annotated[int, Meta(ge=0, le=65535)] = 0
    """Discrete input of the door contact."""
    open_when: Literal[0, 1] = 1


class ModbusOptions(DriverOptions, frozen=True, kw_only=True):
    slaves: tuple[Slave, ...]
    host: str | None = None
    """Modbus TCP; else `port` names the serial line."""
    tcp_port: int = 502
    port: str | None = None
    baudrate: int = 9600
    parity: Literal["N", "E", "O"] = "N"
    stopbits: Literal[1, 2] = 1
    poll_s: float = 2.0
    timeout_s: float = 0.5

    def __post_init__(self) -> None:
        if (self.host is None) == (self.port is None):
            raise ValueError("either `host` (Modbus TCP) or `port` (serial line) is needed")
        if not self.slaves:
            raise ValueError("`slaves` is empty")


class ModbusSensors(Driver[ModbusOptions]):
    """All sensors of one bus."""

    kind: ClassVar[str] = "climate_sensor"
    options_type: ClassVar[type[DriverOptions]] = ModbusOptions

    def __init__(self, device: str, options: ModbusOptions, now: Clock = utc_now) -> None:
        super().__init__(device, options, now)
        self._client: Any = None
        self._ask_at: dict[Slave, float] = {}
        self._dead: set[Slave] = set()
        self._next_poll = 0.0
        self._ready: list[Reading] = []

    def open(self) -> DeviceInfo:
        self.close()
        options = self.options
        if options.host is not None:
            self._client = ModbusTcpClient(
                options.host, port=options.tcp_port, timeout=options.timeout_s, retries=0
            )
            where = f"{options.host}:{options.tcp_port}"
        elif options.port is not None:
            self._client = ModbusSerialClient(
                options.port,
                framer=FramerType.RTU,
                baudrate=options.baudrate,
                parity=options.parity,
                stopbits=options.stopbits,
                timeout=options.timeout_s,
                retries=0,
            )
            where = options.port
        else:
            raise BadOptions(f"{self.device}: neither host nor port")
        self._where, self._next_poll = where, time.monotonic() + options.poll_s
        self._ask_at = dict.fromkeys(options.slaves, 0.0)
        self._dead = set()
        try:
            self._connect()
            self._ready = self._poll()
        except BaseException:
            self.close()
            raise
        return DeviceInfo("online", self.now(), f"{len(options.slaves)} sensors on {where}")

    def read(self, timeout_s: float) -> list[Reading]:
        if self._client is None:
            raise DeviceLost(f"{self.device}: not connected")
        if self._ready:
            readings, self._ready = self._ready, []
            return readings
        wait = min(timeout_s, self._next_poll - time.monotonic())
        if wait > 0:
            time.sleep(wait)
        if time.monotonic() < self._next_poll:
            return []
        self._next_poll = time.monotonic() + self.options.poll_s
        return self._poll()

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _poll(self) -> list[Reading]:
        """Every slave that is due, one after the other."""
        readings: list[Reading] = []
        for slave in self.options.slaves:
            if time.monotonic() >= self._ask_at[slave]:
                readings += self._ask(slave)
        if len(self._dead) == len(self.options.slaves):
            raise DeviceLost(f"{self.device}: no sensor on {self._where} answers; look at cable and power")
        return readings

    def _connect(self) -> None:
        try:
            connected = self._client.connect()
        except OSError as e:
            raise DeviceLost(f"{self.device}: cannot open {self._where} ({e})") from e
        if not connected:
            raise DeviceLost(f"{self.device}: nothing answers at {self._where}")

    def _ask(self, slave: Slave) -> list[Reading]:
        """One slave's values, or what is wrong with it."""
        try:
            values = self._climate(slave) if slave.kind == "climate" else self._door(slave)
        except _Implausible as e:
            return [RejectedFrame(f"sensor {slave.unit}: {e}", e.frame, self.now())]
        except (ModbusException, OSError) as e:
            # A late answer of this one must not be taken for the next one's: start with an empty line.
            self._client.close()
            self._connect()
            self._ask_at[slave] = time.monotonic() + DEAD_PAUSE_S
            if slave in self._dead:
                return []
            self._dead.add(slave)
            return [DeviceInfo("fault", self.now(), f"sensor {slave.unit} does not answer ({e})")]
        readings: list[Reading] = [SensorValues(values, self.now())]
        if slave in self._dead:
            self._dead.discard(slave)
            readings.insert(0, DeviceInfo("online", self.now(), f"sensor {slave.unit} answers again"))
        return readings

    def _climate(self, slave: Slave) -> tuple[SensorValue, ...]:
        answer = self._client.read_input_registers(slave.register, count=2, device_id=slave.unit)
        _check(answer, 2)
        temperature, humidity = _signed(answer.registers[0], slave.negative), answer.registers[1]
        values = (
            SensorValue(f"{slave.channel_prefix}temperature", Decimal(temperature) / 10, "Cel"),
            SensorValue(f"{slave.channel_prefix}humidity", Decimal(humidity) / 10, "%"),
        )
        for value, (low, high) in zip(values, (TEMPERATURE_C, HUMIDITY_PERCENT), strict=True):
            if not low <= value.value <= high:
                frame = b"".join(register.to_bytes(2) for register in answer.registers)
                raise _Implausible(f"{value.channel} of {value.value} {value.unit} is impossible", frame)
        return values

    def _door(self, slave: Slave) -> tuple[SensorValue, ...]:
        answer = self._client.read_discrete_inputs(slave.input, count=1, device_id=slave.unit)
        _check(answer, 0)
        is_open = int(answer.bits[0]) == slave.open_when
        return (SensorValue(f"{slave.channel_prefix}door_open", Decimal(int(is_open)), "1"),)


class _Implausible(Exception):
    def __init__(self, reason: str, frame: bytes) -> None:
        super().__init__(reason)
        self.frame = frame


def _check(answer: Any, registers: int) -> None:
    if answer.isError():
        raise ModbusException(f"it answers exception {getattr(answer, 'exception_code', '?')}")
    if registers and len(answer.registers) != registers:
        raise ModbusException(f"it answers {len(answer.registers)} registers where {registers} were asked")


def _signed(register: int, negative: str) -> int:
    if negative == "offset_10000":
        return -(register - 10000) if register > 10000 else register
    return register - 0x10000 if register & 0x8000 else register
