"""LLRP bytes <-> elements. Works for every message and parameter of `definitions`, in both directions.

An element is a name, its fields and its parameters in wire order; what is not in the table (and every
vendor's Custom) keeps its bytes and is written back byte for byte. Reading never guesses: a length that
lies, a value cut short or a TV parameter nobody knows raises FrameError with the bytes. `Framer` cuts a TCP
stream into frames in linear time, however large a report is.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from device_drivers.llrp.definitions import (
    MESSAGE_NUMBERS,
    MESSAGES,
    PARAMETER_NUMBERS,
    PARAMETERS,
    Definition,
)

HEADER = struct.Struct(">HII")
MAX_FRAME_BYTES = 32 * 1024 * 1024
"""Longer than any report seen; a header that claims more is taken for garbage."""
MAX_DEPTH = 16
"""The deepest parameter of the standard stands at 7."""


class FrameError(ValueError):
    """The bytes are not LLRP. `frame` holds them."""

    def __init__(self, reason: str, frame: bytes = b"") -> None:
        super().__init__(reason)
        self.frame = frame


@dataclass(slots=True)
class Element:
    """A parameter, or the inside of a message. `Unknown` has the fields Type and Data (bytes behind the
    header)."""

    name: str
    fields: dict[str, Any] = field(default_factory=dict)
    parameters: list[Element] = field(default_factory=list)

    def __getitem__(self, field_name: str) -> Any:
        return self.fields[field_name]

    def all(self, name: str) -> Iterator[Element]:
        return (parameter for parameter in self.parameters if parameter.name == name)

    def first(self, *path: str) -> Element | None:
        """The first parameter along a path of names, or None."""
        found: Element | None = self
        for name in path:
            found = next(found.all(name), None) if found else None
        return found


@dataclass(slots=True)
class Message:
    """One LLRP message. An unknown type has the name `Unknown` and its body in `body.fields`."""

    name: str
    message_id: int
    body: Element
    version: int = 1


def element(name: str, *parameters: Element, **fields: Any) -> Element:
    """`element("AISpec", element("AISpecStopTrigger", ...), AntennaIDs=[1, 2])`."""
    return Element(name, fields, list(parameters))


def message(name: str, message_id: int, *parameters: Element, version: int = 1, **fields: Any) -> Message:
    return Message(name, message_id, Element(name, fields, list(parameters)), version)


# --- field kinds ----------------------------------------------------------------------------------

_Reader = Callable[[bytes, int, int], tuple[Any, int]]
_Writer = Callable[[Any], bytes]

_INTEGERS = {
    "u8": ">B",
    "u16": ">H",
    "u32": ">I",
    "u64": ">Q",
    "s8": ">b",
    "s16": ">h",
    "s32": ">i",
    "s64": ">q",
}


def _need(data: bytes, start: int, end: int, count: int) -> None:
    if start + count > end:
        raise FrameError(f"{end - start} bytes left where {count} are needed")


def _integer(code: str) -> tuple[_Reader, _Writer]:
    packer = struct.Struct(code)

    def read(data: bytes, start: int, end: int) -> tuple[int, int]:
        _need(data, start, end, packer.size)
        return packer.unpack_from(data, start)[0], start + packer.size

    return read, packer.pack


def _array(code: str) -> tuple[_Reader, _Writer]:
    size = struct.calcsize(code)

    def read(data: bytes, start: int, end: int) -> tuple[list[int], int]:
        _need(data, start, end, 2)
        count = int.from_bytes(data[start : start + 2])
        _need(data, start + 2, end, count * size)
        return list(struct.unpack_from(f">{count}{code[1]}", data, start + 2)), start + 2 + count * size

    def write(values: list[int]) -> bytes:
        return struct.pack(f">H{len(values)}{code[1]}", len(values), *values)

    return read, write


def _read_text(data: bytes, start: int, end: int) -> tuple[str, int]:
    _need(data, start, end, 2)
    stop = start + 2 + int.from_bytes(data[start : start + 2])
    _need(data, start, end, stop - start)
    try:
        return data[start + 2 : stop].decode(), stop
    except UnicodeDecodeError as e:
        raise FrameError(f"text is not UTF-8: {e}") from e


def _write_text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack(">H", len(encoded)) + encoded


def _read_bits(data: bytes, start: int, end: int) -> tuple[tuple[int, bytes], int]:
    """A bit array as (bits, bytes); the length on the wire counts bits."""
    _need(data, start, end, 2)
    bits = int.from_bytes(data[start : start + 2])
    stop = start + 2 + (bits + 7) // 8
    _need(data, start, end, stop - start)
    return (bits, data[start + 2 : stop]), stop


def _write_bits(value: tuple[int, bytes]) -> bytes:
    bits, data = value
    if len(data) != (bits + 7) // 8:
        raise ValueError(f"{len(data)} bytes for a bit array of {bits} bits")
    return struct.pack(">H", bits) + data


def _bytes(count: int) -> tuple[_Reader, _Writer]:
    def read(data: bytes, start: int, end: int) -> tuple[bytes, int]:
        _need(data, start, end, count)
        return data[start : start + count], start + count

    def write(value: bytes) -> bytes:
        if len(value) != count:
            raise ValueError(f"{len(value)} bytes where {count} belong")
        return bytes(value)

    return read, write


_KINDS: dict[str, tuple[_Reader, _Writer]] = {
    **{kind: _integer(code) for kind, code in _INTEGERS.items()},
    **{f"{kind}v": _array(_INTEGERS[kind]) for kind in ("u8", "u16", "u32")},
    "utf8": (_read_text, _write_text),
    "bits": (_read_bits, _write_bits),
    "b12": _bytes(12),
    "rest": (lambda data, start, end: (data[start:end], end), bytes),
}


@dataclass(slots=True)
class _BitGroup:
    """Neighbouring bit fields that share whole bytes: (name, shift, mask)."""

    size: int
    parts: list[tuple[str, int, int]]


def _compile(definition: Definition) -> list[tuple[str, str] | _BitGroup]:
    """Fields with their bit fields gathered into byte groups."""
    steps: list[tuple[str, str] | _BitGroup] = []
    pending: list[tuple[str, int]] = []
    for name, kind in definition.fields:
        if kind not in _KINDS:
            pending.append((name, int(kind[1:])))
            total = sum(width for _, width in pending)
            if total % 8 == 0:
                shift, parts = total, []
                for part, width in pending:
                    shift -= width
                    if part != "_":
                        parts.append((part, shift, (1 << width) - 1))
                steps.append(_BitGroup(total // 8, parts))
                pending = []
        else:
            assert not pending, f"bits of {definition.name} do not fill bytes"
            steps.append((name, kind))
    assert not pending, f"bits of {definition.name} do not fill bytes"
    return steps


_STEPS = {
    id(definition): _compile(definition) for table in (MESSAGES, PARAMETERS) for definition in table.values()
}
_TV_SIZES = {
    number: sum(12 if kind == "b12" else struct.calcsize(_INTEGERS[kind]) for _, kind in definition.fields)
    for number, definition in PARAMETER_NUMBERS.items()
    if number < 128
}


# --- reading --------------------------------------------------------------------------------------


def decode(frame: bytes) -> Message:
    """One whole frame -> message. Raises FrameError."""
    try:
        if len(frame) < HEADER.size:
            raise FrameError(f"{len(frame)} bytes, a header has {HEADER.size}")
        head, length, message_id = HEADER.unpack_from(frame)
        if length != len(frame):
            raise FrameError(f"header says {length} bytes, the frame has {len(frame)}")
        definition = MESSAGE_NUMBERS.get(head & 0x3FF)
        version = head >> 10 & 7
        if definition is None:
            body = Element("Unknown", {"Type": head & 0x3FF, "Data": frame[HEADER.size :]})
            return Message("Unknown", message_id, body, version)
        return Message(
            definition.name, message_id, _read_body(definition, frame, HEADER.size, length), version
        )
    except FrameError as e:
        raise FrameError(str(e), frame) from e


def decode_parameters(data: bytes, start: int = 0) -> list[Element]:
    """A run of parameters, e.g. inside a vendor's message. Raises FrameError."""
    return _read_parameters(data, start, len(data))


def _read_body(definition: Definition, data: bytes, start: int, end: int, depth: int = 0) -> Element:
    fields: dict[str, Any] = {}
    position = start
    for step in _STEPS[id(definition)]:
        if isinstance(step, _BitGroup):
            _need(data, position, end, step.size)
            value = int.from_bytes(data[position : position + step.size])
            position += step.size
            for name, shift, mask in step.parts:
                fields[name] = value >> shift & mask
        else:
            name, kind = step
            fields[name], position = _KINDS[kind][0](data, position, end)
    return Element(definition.name, fields, _read_parameters(data, position, end, depth + 1))


def _read_parameters(data: bytes, start: int, end: int, depth: int = 0) -> list[Element]:
    if depth > MAX_DEPTH and start < end:
        raise FrameError(f"parameters nested deeper than {MAX_DEPTH} levels")
    found = []
    while start < end:
        if data[start] & 0x80:
            number = data[start] & 0x7F
            if number not in _TV_SIZES:
                raise FrameError(f"TV parameter {number} is unknown, so its length is too")
            stop = start + 1 + _TV_SIZES[number]
            body = start + 1
        else:
            _need(data, start, end, 4)
            number = int.from_bytes(data[start : start + 2]) & 0x3FF
            length = int.from_bytes(data[start + 2 : start + 4])
            if length < 4:
                raise FrameError(f"parameter {number} claims {length} bytes, less than its own header")
            stop, body = start + length, start + 4
        if stop > end:
            raise FrameError(f"parameter {number} reaches {stop - end} bytes behind what contains it")
        definition = PARAMETER_NUMBERS.get(number)
        if definition is None:
            found.append(Element("Unknown", {"Type": number, "Data": data[body:stop]}))
        else:
            found.append(_read_body(definition, data, body, stop, depth))
        start = stop
    return found


# --- writing --------------------------------------------------------------------------------------


def encode(message: Message) -> bytes:
    """Raises ValueError for a field that is missing or does not fit."""
    number, body = _write_body(message.body, MESSAGES)
    return HEADER.pack(message.version << 10 | number, HEADER.size + len(body), message.message_id) + body


def encode_parameter(parameter: Element) -> bytes:
    number, body = _write_body(parameter, PARAMETERS)
    if number < 128:
        return bytes([0x80 | number]) + body
    return struct.pack(">HH", number, 4 + len(body)) + body


def _write_body(item: Element, table: dict[str, Definition]) -> tuple[int, bytes]:
    if item.name == "Unknown":
        return item["Type"], item["Data"]
    definition = table[item.name]
    parts = []
    try:
        for step in _STEPS[id(definition)]:
            if isinstance(step, _BitGroup):
                value = 0
                for name, shift, mask in step.parts:
                    bits = int(item.fields[name])
                    if bits & ~mask:
                        raise ValueError(f"{name} is {bits}, at most {mask} fits")
                    value |= bits << shift
                parts.append(value.to_bytes(step.size))
            else:
                parts.append(_KINDS[step[1]][1](item.fields[step[0]]))
    except (KeyError, struct.error, ValueError, OverflowError) as e:
        raise ValueError(f"{item.name}: {e}") from e
    parts.extend(encode_parameter(parameter) for parameter in item.parameters)
    return definition.number, b"".join(parts)


# --- the stream -----------------------------------------------------------------------------------


class Framer:
    """Cuts the byte stream of one connection into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Complete frames so far. Raises FrameError when no header can be where one must be: the stream is
        lost."""
        self._buffer += data
        frames, start = [], 0
        while len(self._buffer) - start >= HEADER.size:
            head, length, _ = HEADER.unpack_from(self._buffer, start)
            if not HEADER.size <= length <= MAX_FRAME_BYTES or head >> 13 or not head >> 10 & 7:
                del self._buffer[:start]
                raise FrameError(
                    f"no LLRP header: {bytes(self._buffer[:10]).hex()}", bytes(self._buffer[:4096])
                )
            if len(self._buffer) - start < length:
                break
            frames.append(bytes(self._buffer[start : start + length]))
            start += length
        del self._buffer[:start]
        return frames

    @property
    def pending(self) -> bytes:
        """What came in and is not a whole frame yet."""
        return bytes(self._buffer)
