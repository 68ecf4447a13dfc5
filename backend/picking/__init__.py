"""Picking: one task for each promise on a shelf, walked in order, confirmed by scans, short where the shelf disagrees.

Tasks follow the promises (`follow`): allocation, cancelling and broken reservations never leave a task for goods that
are not promised, nor a promise without a task. A wrong scan changes nothing, is recorded, and says expected and seen.
"""

from backend.picking.claim import IDLE, give_up_idle, next_task, skip
from backend.picking.confirm import Picked, WrongPick, answer_zero_check, confirm
from backend.picking.follow import follow
from backend.picking.short import ShortPicked, short
from backend.picking.task import PickTask, task, tasks_where
from backend.picking.wave import Wave, create_wave, wave

__all__ = [
    "IDLE",
    "PickTask",
    "Picked",
    "ShortPicked",
    "Wave",
    "WrongPick",
    "answer_zero_check",
    "confirm",
    "create_wave",
    "follow",
    "give_up_idle",
    "next_task",
    "short",
    "skip",
    "task",
    "tasks_where",
    "wave",
]
