"""Where license plates stand: a plate with all that stands on it is in one place, and so in the books."""

from __future__ import annotations

from uuid import UUID

from backend.db import Conn

_INSIDE = """with recursive inside as (
                 select id from license_plate where id = %s
                 union select c.id from license_plate c join inside on c.parent_id = inside.id)"""


def lock_plates(conn: Conn, site_id: UUID, license_plate_id: UUID) -> None:
    """Holds the plate, then what stands on it: nobody moves them or puts another plate on them meanwhile."""
    conn.execute(
        "select 1 from license_plate where id = %s and site_id = %s for update", [license_plate_id, site_id]
    )
    conn.execute(
        f"""{_INSIDE} select 1 from license_plate where id in (select id from inside) and site_id = %s
            order by id for update""".encode(),
        [license_plate_id, site_id],
    )


def stand_plate(conn: Conn, site_id: UUID, license_plate_id: UUID, place_id: UUID) -> None:
    """The plate and all that stands on it are there now. It leaves the plate below it, unless that one is there too."""
    conn.execute(
        f"""{_INSIDE} update license_plate set place_id = %s where id in (select id from inside) and site_id = %s""".encode(),
        [license_plate_id, place_id, site_id],
    )
    conn.execute(
        """update license_plate lp set parent_id = null from license_plate up
           where lp.id = %s and lp.site_id = %s and up.id = lp.parent_id and up.place_id is distinct from lp.place_id""",
        [license_plate_id, site_id],
    )
