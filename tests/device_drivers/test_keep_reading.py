"""The loop that keeps a device alive: what it yields and how long it waits, on a device that fails on demand."""

from __future__ import annotations

import threading

from device_drivers.driver import DeviceBusy, DeviceError, DeviceLost, Driver, Options, keep_reading
from device_drivers.readings import DeviceInfo, Reading, ScannedCode


class Nothing(Options, frozen=True):
    pass


class Moody(Driver[Nothing]):
    """Follows a script: an error to raise, or None for a scanned code."""

    kind = "moody"
    options_type = Nothing

    def __init__(self, script: list[DeviceError | None], always_opens: bool = False) -> None:
        super().__init__("moody-1", Nothing())
        self.script = script
        self.always_opens = always_opens
        self.closed = 0

    def open(self) -> DeviceInfo:
        if self.script and self.script[0] and not self.always_opens:
            raise self.script.pop(0) or AssertionError
        return DeviceInfo("online", self.now())

    def read(self, timeout_s: float) -> list[Reading]:
        if not self.script:
            return []
        step = self.script.pop(0)
        if step:
            raise step
        return [ScannedCode("A", self.now())]

    def close(self) -> None:
        self.closed += 1


def play(script: list[DeviceError | None], always_opens: bool = False) -> tuple[list[str], list[float]]:
    """What the loop yielded, in words, and the pauses it made."""
    stop, waits, told = threading.Event(), list[float](), list[str]()

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return False

    driver = Moody(script, always_opens)
    for readings in keep_reading(driver, stop, retry_s=(1, 2, 4), wait=wait):
        told += [r.state if isinstance(r, DeviceInfo) else "code" for r in readings] or ["-"]
        if not driver.script:
            stop.set()
    assert driver.closed
    return told, waits


def lost(words: str = "the cable is out") -> DeviceError:
    return DeviceLost(words)


def test_pauses_grow_to_the_last_step_and_stay_there() -> None:
    _, waits = play([lost() for _ in range(6)])
    assert waits == [1, 2, 4, 4, 4, 4]


def test_a_device_that_reads_again_starts_with_quick_tries_again() -> None:
    _, waits = play([lost(), lost(), None, lost(), None])
    assert waits == [1, 2, 1]


def test_a_device_that_opens_and_dies_at_once_is_not_tried_ever_faster() -> None:
    told, waits = play([lost() for _ in range(5)], always_opens=True)
    assert waits == [1, 2, 4, 4, 4]
    assert told[:4] == ["online", "offline", "online", "offline"]


def test_the_same_trouble_is_told_once_and_other_trouble_again() -> None:
    told, _ = play([lost(), lost(), DeviceBusy("another client"), DeviceBusy("another client"), None])
    assert told == ["offline", "-", "fault", "-", "online", "code"]


def test_stopping_in_the_middle_closes_the_device() -> None:
    driver = Moody([None, None])
    loop = keep_reading(driver, threading.Event())
    next(loop)
    loop.close()  # type: ignore[attr-defined]
    assert driver.closed
