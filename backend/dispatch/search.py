"""What search finds of dispatch: vehicles by code or plate, routes and deliveries by number, deliveries by customer and address."""

from __future__ import annotations

from uuid import UUID

from backend.db import Conn

Found = list[tuple[UUID, str, str]]


def search_vehicles(conn: Conn, site_id: UUID, like: str) -> Found:
    """`(id, code, plate)`."""
    return conn.execute(
        """select v.id, p.code, v.plate from delivery_vehicle v join place p on p.id = v.id
           where v.site_id = %s and v.active and (p.code ilike %s or v.plate ilike %s) order by p.code limit 8""",
        [site_id, like, like],
    ).fetchall()


def search_routes(conn: Conn, site_id: UUID, like: str) -> Found:
    """The newest first: `(id, number, vehicle and day)`."""
    return conn.execute(
        """select r.id, r.number, p.code || ' · ' || r.day from delivery_route r join place p on p.id = r.vehicle_id
           where r.site_id = %s and (r.number ilike %s or p.code ilike %s) and r.state <> 'cancelled'
           order by r.day desc, r.number desc limit 8""",
        [site_id, like, like],
    ).fetchall()


def search_jobs(conn: Conn, site_id: UUID, like: str) -> Found:
    """The newest first: `(id, number, customer and address)`."""
    return conn.execute(
        """select id, number, customer_name || ' · ' || address from delivery_job
           where site_id = %s and (number ilike %s or customer_name ilike %s or address ilike %s) order by id desc limit 8""",
        [site_id, like, like, like],
    ).fetchall()
