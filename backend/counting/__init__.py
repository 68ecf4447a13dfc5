"""Counting and discrepancies: where reality and books differ, with the evidence, and the count that settles it.

A count is blind. A difference above the tolerance is counted again by a second person and approved by a lead;
then the ledger gets the difference as movements. Nothing here overwrites a balance.
"""

from backend.counting.ask import open_count
from backend.counting.discrepancies import raise_discrepancy, resolve

__all__ = ["open_count", "raise_discrepancy", "resolve"]
