"""Putaway: which bin, why, and the task that brings goods there.

`propose` ranks bins with the reasons a person can read; `confirm` takes the scanned bin: the proposed one at once,
another after one question, a forbidden one never (it says why and proposes the next).
"""

from backend.putaway.confirm import Confirmed, claim_task, confirm, release_task
from backend.putaway.propose import Candidate, Load, check_place, propose
from backend.putaway.tasks import (
    cancel_tasks_for_plates,
    create_task_for_plate,
    ensure_loose_tasks,
    ensure_plate_tasks,
    put_back,
)

__all__ = [
    "Candidate",
    "Confirmed",
    "Load",
    "cancel_tasks_for_plates",
    "check_place",
    "claim_task",
    "confirm",
    "create_task_for_plate",
    "ensure_loose_tasks",
    "ensure_plate_tasks",
    "propose",
    "put_back",
    "release_task",
]
