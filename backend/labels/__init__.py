"""Labels: SSCC numbers, ZPL for license plates, items and places, packing lists; printed by durable jobs.

A label is a row with its ZPL, written in the transaction of its cause; the job `print_label` sends it to the site's
printer (a folder, or a raw TCP printer on port 9100). Where a site has no printer the label waits to be fetched.
"""

from backend.labels.labels import Label, print_label, print_license_plate, reprint
from backend.labels.sscc import new_sscc

__all__ = ["Label", "new_sscc", "print_label", "print_license_plate", "reprint"]
