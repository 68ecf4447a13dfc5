"""SSCC numbers of our own: the site's GS1 company prefix and a counter that never goes back."""

from __future__ import annotations

from uuid import UUID

from backend.db import Conn
from backend.errors import Conflict
from device_drivers.gs1 import sscc_with_check_digit

EXTENSION = 0


def new_sscc(conn: Conn, site_id: UUID) -> str:
    """The next 18 digits of this site. Raises Conflict where the site has no GS1 company prefix, or used it up."""
    row = conn.execute(
        """update site set next_sscc = next_sscc + 1 where id = %s and gs1_company_prefix is not null
           returning gs1_company_prefix, next_sscc - 1""",
        [site_id],
    ).fetchone()
    if row is None:
        raise Conflict(
            "This site has no GS1 company prefix; an admin sets it on the site, then labels can be made."
        )
    prefix, number = str(row[0]), int(row[1])
    room = 16 - len(prefix)
    if number >= 10 ** (room + 1):
        raise Conflict(f"All SSCC numbers of the prefix {prefix} are used up; the site needs another prefix.")
    extension, reference = divmod(number, 10**room)
    return sscc_with_check_digit(EXTENSION + extension, prefix, reference)
