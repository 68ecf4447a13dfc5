"""What the scale drivers share: ask, wait for the answer, give a reading when it changed.

A driver of a scale that is asked for its weight writes `ask` and `understand`. Readings are given when the state or
the stable weight changes, so a quiet scale is silent and a parcel put on it is one stable reading.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from typing import ClassVar, TypeVar

from device_drivers.driver import Clock, DeviceLost, Driver, utc_now
from device_drivers.readings import DeviceInfo, Reading, RejectedFrame, Weight
from device_drivers.serial_port import SerialOptions, SerialPort


class ScaleOptions(SerialOptions, frozen=True, kw_only=True):
    poll_s: float = 0.25
    """How often the scale is asked."""
    answer_timeout_s: float = 1.0
    lost_after: int = 5
    """So many questions in a row without an answer: the scale is off or the cable is out."""


ScaleOptionsT = TypeVar("ScaleOptionsT", bound=ScaleOptions)


class PolledScale(Driver[ScaleOptionsT]):
    kind: ClassVar[str] = "scale"
    commands: ClassVar[frozenset[str]] = frozenset({"zero_scale", "tare_scale"})

    def __init__(self, device: str, options: ScaleOptionsT, now: Clock = utc_now) -> None:
        super().__init__(device, options, now)
        self._line: SerialPort | None = None
        self._unanswered = 0
        self._last: Weight | None = None
        self._next_poll = 0.0

    @abstractmethod
    def ask(self) -> bytes:
        """One question and the raw answer, empty when none came."""

    @abstractmethod
    def understand(self, frame: bytes) -> Weight | None:
        """An answer -> weight; None where the scale only says that it is busy. Raises ValueError for nonsense."""

    def identify(self) -> str:
        """Model and serial number where the protocol tells them; called once after opening."""
        return ""

    @property
    def line(self) -> SerialPort:
        if self._line is None:
            raise DeviceLost(f"{self.device}: not connected")
        return self._line

    def open(self) -> DeviceInfo:
        self.close()
        self._unanswered, self._last, self._next_poll = 0, None, 0.0
        self._line = SerialPort(self.device, self.options)
        try:
            self.line.discard_input()
            model = self.identify() or None
            if not self.ask():
                raise self._silent()
            return DeviceInfo("online", self.now(), f"on {self.options.port}", model=model)
        except BaseException:
            self.close()
            raise

    def read(self, timeout_s: float) -> list[Reading]:
        deadline = time.monotonic() + timeout_s
        while True:
            self._sleep_until(min(deadline, self._next_poll))
            if time.monotonic() < self._next_poll:
                return []
            self._next_poll = time.monotonic() + self.options.poll_s
            frame = self.ask()
            if not frame:
                self._unanswered += 1
                if self._unanswered >= self.options.lost_after:
                    raise DeviceLost(
                        f"{self.device}: the scale on {self.options.port} does not answer; is it on?"
                    )
            else:
                self._unanswered = 0
                if reading := self._changed(frame):
                    return [reading]
            if time.monotonic() >= deadline:
                return []

    def close(self) -> None:
        line, self._line = self._line, None
        if line:
            line.close()

    def _silent(self) -> DeviceLost:
        return DeviceLost(f"{self.device}: the scale on {self.options.port} does not answer; is it on?")

    def _changed(self, frame: bytes) -> Reading | None:
        try:
            weight = self.understand(frame)
        except ValueError as e:
            return RejectedFrame(str(e), frame, self.now())
        last = self._last
        if weight is None or (last and weight.state == last.state == "dynamic"):
            return None
        if last and (weight.state, weight.weight_g) == (last.state, last.weight_g):
            return None
        self._last = weight
        return weight

    @staticmethod
    def _sleep_until(moment: float) -> None:
        pause = moment - time.monotonic()
        if pause > 0:
            time.sleep(pause)
