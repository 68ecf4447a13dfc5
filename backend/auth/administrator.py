"""The administrator who exists before anybody can log in, made at the machine: `stowage admin NAME`."""

from __future__ import annotations

import secrets

from backend.auth.principals import hash_password
from backend.db import Conn
from backend.ids import new_id


def make_administrator(conn: Conn, username: str) -> str:
    """A new administrator of all sites, or a new password for the user of that name, who becomes one. Returns the
    password, which is shown once; sessions that the user had end."""
    password = secrets.token_urlsafe(12)
    conn.execute("select set_config('stowage.actor', 'job:stowage admin', true)")
    row = conn.execute(
        """insert into app_user (id, username, name, password_hash, roles) values (%s, %s, %s, %s, array['admin'])
           on conflict on constraint app_user_username_unique do update
           set password_hash = excluded.password_hash, active = true, site_id = null, version = app_user.version + 1,
               roles = (select array_agg(distinct r) from unnest(app_user.roles || array['admin']) r)
           returning id""",
        [new_id(), username, username, hash_password(password)],
    ).fetchone()
    assert row is not None
    conn.execute(
        "update access_token set revoked_at = now() where user_id = %s and revoked_at is null", [row[0]]
    )
    return password


def nobody_can_log_in(conn: Conn) -> bool:
    """Whether there is no active user at all: a new, empty system."""
    return conn.execute("select not exists (select from app_user where active)").fetchone() == (True,)
