"""Jobs of picking: tasks of workers who went away are shown as free again."""

from __future__ import annotations

from backend import jobs
from backend.context import system_context
from backend.db import Conn
from backend.picking.claim import give_up_idle


@jobs.task("give_up_idle_pick_tasks", what="Freeing the pick tasks of people who left", cron="* * * * *")
def give_up_idle_pick_tasks(conn: Conn, **_: object) -> None:
    for (site_id,) in conn.execute("select id from site order by id").fetchall():
        give_up_idle(conn, system_context("job:give_up_idle_pick_tasks", site_id))
