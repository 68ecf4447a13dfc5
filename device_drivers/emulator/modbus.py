"""Modbus slaves on one bus: a climate sensor (XY-MD02) and a door contact, over TCP or RTU on a pseudo-terminal.

`set(temperature=..., humidity=..., door_open=...)` is the room. Own bytes, not pymodbus', so that driver and emulator
cannot share a mistake. Misbehaviour: `kill(unit)`, `revive(unit)`, `garble(unit)`, `unplug()`, `plug_in()`.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from decimal import Decimal

from device_drivers.emulator.serial_line import SerialLine

CLIMATE_UNIT = 1
DOOR_UNIT = 2


class EmulatedModbus:
    """One cold room's bus."""

    def __init__(
        self, *, negative: str = "twos_complement", first_register: int = 1, door_input: int = 0
    ) -> None:
        self._negative, self._first_register, self._door_input = negative, first_register, door_input
        self._temperature, self._humidity, self._door_open = Decimal("4.0"), Decimal("60.0"), False
        self._dead: set[int] = set()
        self._garbled: set[int] = set()
        self._listener: socket.socket | None = None
        self._address = ("127.0.0.1", 0)
        self._clients: set[socket.socket] = set()
        self._line: _RtuLine | None = None

    def set(
        self,
        temperature: Decimal | float | str | None = None,
        humidity: Decimal | float | str | None = None,
        door_open: bool | None = None,
    ) -> None:
        if temperature is not None:
            self._temperature = Decimal(str(temperature))
        if humidity is not None:
            self._humidity = Decimal(str(humidity))
        if door_open is not None:
            self._door_open = door_open

    # --- plug -----------------------------------------------------------------------------------------

    def serve(self, port: int = 0, host: str = "127.0.0.1") -> tuple[str, int]:
        """Modbus TCP; returns (host, port)."""
        self._address = (host, port)
        self._listen()
        return self._address

    def serve_rtu(self) -> str:
        """Modbus RTU; returns the device path."""
        self._line = _RtuLine(self)
        return self._line.path

    def unplug(self) -> None:
        listener, self._listener = self._listener, None
        for link in (listener, *list(self._clients)):
            if link:
                with contextlib.suppress(OSError):
                    link.shutdown(socket.SHUT_RDWR)
                link.close()
        if self._line:
            self._line.unplug()

    def plug_in(self) -> None:
        if self._line:
            self._line.plug_in()
        elif self._listener is None:
            self._listen()

    def close(self) -> None:
        self.unplug()
        if self._line:
            self._line.close()

    # --- misbehaviour ---------------------------------------------------------------------------------

    def kill(self, unit: int) -> None:
        """This slave answers nothing any more; the others do."""
        self._dead.add(unit)

    def revive(self, unit: int) -> None:
        self._dead.discard(unit)
        self._garbled.discard(unit)

    def garble(self, unit: int) -> None:
        """This slave answers values that cannot be (its probe is torn off)."""
        self._garbled.add(unit)

    # --- the protocol ---------------------------------------------------------------------------------

    def answer(self, unit: int, request: bytes) -> bytes | None:
        """Request PDU -> answer PDU; None is silence (Modbus Application Protocol 1.1b3, chapter 6)."""
        if unit in self._dead or unit not in (CLIMATE_UNIT, DOOR_UNIT) or len(request) != 5:
            return None
        function, start, count = struct.unpack(">BHH", request)
        if function == 4 and unit == CLIMATE_UNIT:
            registers = {
                self._first_register: self._temperature_register(),
                self._first_register + 1: self._humid(),
            }
            wanted = range(start, start + count)
            if not all(number in registers for number in wanted):
                return bytes([function | 0x80, 2])
            values = [0xFFFF if unit in self._garbled else registers[number] for number in wanted]
            return struct.pack(f">BB{count}H", function, 2 * count, *values)
        if function == 2 and unit == DOOR_UNIT:
            if start != self._door_input or count != 1:
                return bytes([function | 0x80, 2])
            return bytes([function, 1, int(self._door_open)])
        return bytes([function | 0x80, 1])

    def _temperature_register(self) -> int:
        tenths = int((self._temperature * 10).to_integral_value())
        if tenths >= 0:
            return tenths
        return 10000 - tenths if self._negative == "offset_10000" else tenths & 0xFFFF

    def _humid(self) -> int:
        return int((self._humidity * 10).to_integral_value())

    def _listen(self) -> None:
        listener = socket.create_server(self._address)
        self._address, self._listener = listener.getsockname()[:2], listener
        threading.Thread(
            target=self._accept_loop, args=(listener,), name="emulated-modbus", daemon=True
        ).start()

    def _accept_loop(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self._clients.add(client)
            threading.Thread(
                target=self._serve, args=(client,), name="emulated-modbus-client", daemon=True
            ).start()

    def _serve(self, client: socket.socket) -> None:
        buffer = b""
        with contextlib.suppress(OSError):
            while data := client.recv(4096):
                buffer += data
                while len(buffer) >= 7 and len(buffer) >= 6 + (length := int.from_bytes(buffer[4:6])):
                    head, unit, request = buffer[:4], buffer[6], buffer[7 : 6 + length]
                    buffer = buffer[6 + length :]
                    answer = self.answer(unit, request)
                    if answer is not None:
                        client.sendall(head + struct.pack(">HB", 1 + len(answer), unit) + answer)
        self._clients.discard(client)
        client.close()


class _RtuLine(SerialLine):
    def __init__(self, bus: EmulatedModbus) -> None:
        self._bus, self._request = bus, b""
        super().__init__()

    def received(self, data: bytes) -> None:
        """Requests have eight bytes: unit, function, start, count, CRC."""
        self._request += data
        while len(self._request) >= 8:
            frame, self._request = self._request[:8], self._request[8:]
            if crc16(frame[:6]) != frame[6:]:
                self._request = b""
                return
            answer = self._bus.answer(frame[0], frame[1:6])
            if answer is not None:
                body = frame[:1] + answer
                self.send(body + crc16(body))


def crc16(data: bytes) -> bytes:
    """Modbus CRC, low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc.to_bytes(2, "little")
