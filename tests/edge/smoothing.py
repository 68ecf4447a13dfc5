"""The smoothing benchmark: 25 tags wander in and out of an antenna's field; errors an epoch against the truth.

The read rate is full near the antenna and falls to nothing at the edge of the field. The baselines are a fixed
window and SMURF as published (Jeffery et al., VLDB 2006).
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable

from edge.cleaning.presence import Presence, PresenceSettings

Track = list[tuple[bool, bool]]
"""One tag: (in the field, read) for each epoch."""
Filter = Callable[[bool], bool]
"""read in this epoch? -> counted as there?"""


def wandering_tags(
    seed: int, read_rate: float, speed: float = 0.6, tags: int = 25, epochs: int = 2000
) -> list[Track]:
    rng = random.Random(seed)
    edge, near, half = 20.0, 7.2, 59.0
    found: list[Track] = []
    for _ in range(tags):
        x, v, left = rng.uniform(-half, half), 0.0, 0
        track: Track = []
        for _ in range(epochs):
            if left <= 0:
                v, left = rng.choice((-1, 1)) * rng.uniform(1, 3) * speed, rng.randint(10, 60)
            left -= 1
            x += v
            if abs(x) > half:
                x, v = math.copysign(half, x), -v
            distance = abs(x)
            p = read_rate * min(1.0, max(0.0, (edge - distance) / (edge - near)))
            track.append((distance < edge, rng.random() < p))
        found.append(track)
    return found


def errors_an_epoch(tracks: list[Track], make: Callable[[], Filter]) -> float:
    wrong = 0
    for track in tracks:
        there = make()
        wrong += sum(there(read) != truth for truth, read in track)
    return wrong / len(tracks[0])


def fixed(window: int) -> Callable[[], Filter]:
    def make() -> Filter:
        left = 0

        def there(read: bool) -> bool:
            nonlocal left
            left = window if read else left - 1
            return left > 0

        return there

    return make


def smurf(delta: float = 0.05) -> Callable[[], Filter]:
    """The rate is taken between the first and the last read of the window, so that the tail of an absent tag does
    not lower it."""

    def make() -> Filter:
        w = 1
        history: deque[bool] = deque(maxlen=400)

        def there(read: bool) -> bool:
            nonlocal w
            history.append(read)
            window = list(history)[-w:]
            count = sum(window)
            if count == 0:
                w = 1
                return False
            first, last = window.index(True), len(window) - 1 - window[::-1].index(True)
            p = count / (last - first + 1) if last > first else count / len(window)
            enough = math.ceil(math.log(1 / delta) / p)
            n = len(window)
            if abs(count - n * p) > 2 * math.sqrt(n * p * (1 - p)):
                w = max(min(w // 2, enough), 1)
            elif enough > w:
                w = max(min(w + 2, enough), 1)
            return True

        return there

    return make


def ours(shared: Presence) -> Callable[[], Filter]:
    """All tags of one reader share a Presence, as they do in the agent."""
    numbers = iter(range(10**9))

    def make() -> Filter:
        epc, epoch = f"tag-{next(numbers)}", 0

        def there(read: bool) -> bool:
            nonlocal epoch
            epoch += 1
            at = (epoch + 0.5) * 0.2
            if read:
                shared.read(epc, at)
            return shared.is_there(epc, at)

        return there

    return make


def presence() -> Presence:
    return Presence(PresenceSettings(epoch_s=0.2, expected_dwell_s=20.0))
