"""The handheld's last step, and taking it back.

A slice whose command is a step of a worker calls `record_step` in the same transaction; the function that takes
it back stands in `undo.UNDO`. Only the very last step of a person can be undone, within ten minutes.
"""

from backend.handheld.undo import Step, last_step, record_step, undo_last

__all__ = ["Step", "last_step", "record_step", "undo_last"]
