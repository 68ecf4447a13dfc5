"""Who is told (subscriptions) and what became of each telling (deliveries)."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from psycopg.rows import dict_row
from pydantic import AnyHttpUrl, BaseModel, Field, field_validator

from backend import api, jobs
from backend.api import Ctx, Db, Site, allow
from backend.errors import Conflict, NotFound
from backend.ids import new_id
from backend.integration.webhooks.emit import TYPES
from backend.paging import Cursor, Limit, Page, page_of, uuid_cursor

router = api.router(tags=["webhooks"])


class Subscription(BaseModel):
    id: UUID
    name: str
    url: str
    types: list[str]
    active: bool
    disabled_because: str | None
    created_at: datetime
    created_by: str


def _known(types: list[str] | None) -> list[str] | None:
    unknown = [t for t in types or [] if t not in TYPES]
    if unknown:
        raise ValueError(f"unknown event type {unknown[0]!r}; there are {', '.join(TYPES)}")
    return types


class NewSubscription(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=100)]
    url: Annotated[AnyHttpUrl, Field(max_length=500)]
    types: Annotated[list[str], Field(max_length=50, description="Empty: every type")] = []
    secret: Annotated[str, Field(pattern=r"^whsec_[A-Za-z0-9+/=]{24,100}$")] | None = Field(
        default=None, description="Ours, where none is given"
    )
    _check = field_validator("types")(_known)


class NewlySubscribed(BaseModel):
    subscription: Subscription
    secret: str = Field(description="For checking signatures (Standard Webhooks). Shown once")


class SubscriptionChange(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    url: Annotated[AnyHttpUrl, Field(max_length=500)] | None = None
    types: Annotated[list[str], Field(max_length=50)] | None = None
    active: bool | None = None
    _check = field_validator("types")(_known)


_SUBSCRIPTION = "select id, name, url, types, active, disabled_because, created_at, created_by from webhook_subscription where site_id = %s"


def _subscription(conn: Db, site: UUID, subscription_id: UUID) -> Subscription:
    with conn.cursor(row_factory=dict_row) as cur:
        row = cur.execute(f"{_SUBSCRIPTION} and id = %s".encode(), [site, subscription_id]).fetchone()
    if row is None:
        raise NotFound("There is no such subscription at this site.")
    return Subscription(**row)


@router.get(
    "/webhook-subscriptions", response_model=Page[Subscription], dependencies=[allow("integrator", "lead")]
)
def list_webhook_subscriptions(conn: Db, site: Site) -> Page[Subscription]:
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(f"{_SUBSCRIPTION} order by id limit 500".encode(), [site]).fetchall()
    return Page(items=[Subscription(**r) for r in rows])


@router.post(
    "/webhook-subscriptions",
    response_model=NewlySubscribed,
    status_code=201,
    dependencies=[allow("integrator")],
)
def create_webhook_subscription(body: NewSubscription, conn: Db, ctx: Ctx) -> NewlySubscribed:
    subscription_id = new_id()
    secret = body.secret or "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    conn.execute(
        "insert into webhook_subscription (id, site_id, name, url, secret, types, created_by) values (%s, %s, %s, %s, %s, %s, %s)",
        [subscription_id, ctx.site_id, body.name, str(body.url), secret, body.types, ctx.actor],
    )
    return NewlySubscribed(subscription=_subscription(conn, ctx.site_id, subscription_id), secret=secret)


@router.patch(
    "/webhook-subscriptions/{subscription_id}",
    response_model=Subscription,
    dependencies=[allow("integrator")],
)
def change_webhook_subscription(
    subscription_id: UUID, body: SubscriptionChange, conn: Db, ctx: Ctx
) -> Subscription:
    _subscription(conn, ctx.site_id, subscription_id)
    conn.execute(
        """update webhook_subscription set name = coalesce(%s, name), url = coalesce(%s, url), types = coalesce(%s, types),
                  active = coalesce(%s, active), disabled_because = case when %s then null else disabled_because end where id = %s""",
        [
            body.name,
            str(body.url) if body.url else None,
            body.types,
            body.active,
            body.active is True,
            subscription_id,
        ],
    )
    return _subscription(conn, ctx.site_id, subscription_id)


@router.delete(
    "/webhook-subscriptions/{subscription_id}",
    response_model=None,
    status_code=204,
    dependencies=[allow("integrator")],
)
def end_webhook_subscription(subscription_id: UUID, conn: Db, ctx: Ctx) -> None:
    """No more events are sent; what was sent stays on the list."""
    _subscription(conn, ctx.site_id, subscription_id)
    conn.execute(
        "update webhook_subscription set active = false, disabled_because = 'ended by ' || %s where id = %s",
        [ctx.actor, subscription_id],
    )


class Delivery(BaseModel):
    id: UUID
    event_id: UUID
    type: str
    subject: str
    subscription_id: UUID
    subscription_name: str
    url: str
    state: str
    attempts: int
    next_try_at: datetime
    last_status: int | None
    last_words: str | None
    delivered_at: datetime | None
    occurred_at: datetime
    correlation_id: str
    data: dict[str, Any]


_DELIVERY = """select d.id, d.event_id, e.type, d.subject, d.subscription_id, s.name as subscription_name, s.url, d.state, d.attempts,
                      d.next_try_at, d.last_status, d.last_words, d.delivered_at, e.occurred_at, e.correlation_id, e.data
               from webhook_delivery d join webhook_event e on (e.site_id, e.id) = (d.site_id, d.event_id)
                    join webhook_subscription s on s.id = d.subscription_id where d.site_id = %s"""


@router.get("/webhook-deliveries", response_model=Page[Delivery], dependencies=[allow("integrator", "lead")])
def list_webhook_deliveries(
    conn: Db,
    site: Site,
    state: Literal["waiting", "delivered", "parked"] | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Delivery]:
    after = uuid_cursor(cursor)
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(
            f"{_DELIVERY} and (%s::text is null or d.state = %s) and (%s::uuid is null or d.id < %s) order by d.id desc limit %s".encode(),
            [site, state, state, after, after, limit + 1],
        ).fetchall()
    return page_of(rows, limit, lambda r: [r["id"]], lambda r: Delivery(**r))


@router.post(
    "/webhook-deliveries/{delivery_id}/retry", response_model=Delivery, dependencies=[allow("integrator")]
)
def retry_webhook_delivery(delivery_id: UUID, conn: Db, ctx: Ctx) -> Delivery:
    with conn.cursor(row_factory=dict_row) as cur:
        row = cur.execute(f"{_DELIVERY} and d.id = %s".encode(), [ctx.site_id, delivery_id]).fetchone()
        if row is None:
            raise NotFound("There is no such delivery at this site.")
        if row["state"] == "delivered":
            raise Conflict("This event was delivered already.")
        conn.execute(
            "update webhook_delivery set state = 'waiting', next_try_at = clock_timestamp() where site_id = %s and id = %s",
            [ctx.site_id, delivery_id],
        )
        jobs.defer(conn, "webhooks_deliver", lock="webhooks_deliver")
        row = cur.execute(f"{_DELIVERY} and d.id = %s".encode(), [ctx.site_id, delivery_id]).fetchone()
    assert row is not None
    return Delivery(**row)
