"""LLRPStatus in words: what the reader refused, which field of which parameter, and what to do about it."""

from __future__ import annotations

from device_drivers.llrp.codec import Element
from device_drivers.llrp.definitions import MESSAGES, PARAMETER_NUMBERS, PARAMETERS

SUCCESS = 0

CODES = {
    100: "a parameter of the message is wrong",
    101: "a field of the message is wrong",
    102: "the message has a parameter that does not belong there",
    103: "the message misses a parameter",
    104: "a parameter of the message is there twice",
    105: "the message has more parameters than this reader takes",
    106: "a field of the message has more entries than this reader takes",
    107: "the reader does not know a parameter of the message",
    108: "the reader does not know a field of the message",
    109: "the reader does not support this message",
    110: "the reader does not support this protocol version",
    111: "the reader does not support a parameter of the message",
    112: "the message is not allowed now",
    200: "a parameter inside the parameter is wrong",
    201: "a field of the parameter is wrong",
    202: "the parameter has one that does not belong there",
    203: "the parameter misses one",
    204: "a parameter inside the parameter is there twice",
    205: "the parameter has more inside than this reader takes",
    206: "a field of the parameter has more entries than this reader takes",
    207: "the reader does not know a parameter inside the parameter",
    208: "the reader does not know a field of the parameter",
    209: "the reader does not support this parameter",
    300: "a value is not valid",
    301: "a value is out of range",
    401: "the reader has an internal error: restart it, look at its own log",
}
"""StatusCode (LLRP 1.1 section 14.2.1) -> words."""

CONNECTION_ATTEMPT = {
    1: "another client is connected to the reader (it was connected by the reader)",
    2: "another client is connected to the reader: a reader takes one client; stop the other one first",
    3: "the reader cannot take a connection now",
    4: "another client tried to connect",
}
"""ConnectionAttemptEvent status (LLRP 1.1 section 16.2.7.6.12)."""


def explain(status: Element, message_name: str) -> str:
    """A sentence such as `a field of the parameter is wrong: TransmitPower of RFTransmitter (a value is out of
    range); the reader says "power index 99"`."""
    text = CODES.get(status["StatusCode"], f"status {status['StatusCode']}")
    places = _places(status, message_name)
    if places:
        text += ": " + "; ".join(places)
    if status["ErrorDescription"].strip():
        text += f'; the reader says "{status["ErrorDescription"].strip()}"'
    return text


def _places(error: Element, inside: str) -> list[str]:
    found = []
    for item in error.parameters:
        code = CODES.get(item.fields.get("ErrorCode", 0))
        reason = f" ({code})" if code else ""
        if item.name == "FieldError":
            found.append(f"{_field_name(inside, item['FieldNum'])} of {inside}{reason}")
        elif item.name == "ParameterError":
            definition = PARAMETER_NUMBERS.get(item["ParameterType"])
            name = definition.name if definition else f"parameter {item['ParameterType']}"
            found.extend(_places(item, name) or [f"{name} in {inside}{reason}"])
    return found


def _field_name(inside: str, number: int) -> str:
    definition = MESSAGES.get(inside) or PARAMETERS.get(inside)
    fields = [name for name, _ in definition.fields if name != "_"] if definition else []
    return fields[number] if number < len(fields) else f"field {number}"
