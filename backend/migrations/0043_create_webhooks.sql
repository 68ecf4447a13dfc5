-- Events that leave for CRM and others: CloudEvents, signed, each delivered to each subscriber until it says 2xx.

create table webhook_subscription (
    id         uuid primary key,
    site_id    uuid not null references site (id),
    name       text not null,
    url        text not null,
    secret     text not null,
    types      text[] not null,              -- empty: all
    active     boolean not null default true,
    created_at timestamptz not null default clock_timestamp(),
    created_by text not null,
    disabled_because text
);
create trigger audit_webhook_subscription after insert or update or delete on webhook_subscription
    for each row execute function audit_change('id');

create table webhook_event (
    site_id        uuid not null references site (id),
    id             uuid not null,
    type           text not null,
    subject        text not null,
    data           jsonb not null,
    occurred_at    timestamptz not null,
    correlation_id text not null,
    primary key (site_id, id)
);

create table webhook_delivery (
    site_id         uuid not null,
    id              uuid not null,
    event_id        uuid not null,
    subscription_id uuid not null references webhook_subscription (id),
    subject         text not null,
    state           text not null default 'waiting' constraint webhook_delivery_state_known check (state in ('waiting', 'delivered', 'parked')),
    attempts        integer not null default 0,
    next_try_at     timestamptz not null default clock_timestamp(),
    last_status     integer,
    last_words      text,
    delivered_at    timestamptz,
    primary key (site_id, id),
    foreign key (site_id, event_id) references webhook_event (site_id, id)
);
create index webhook_delivery_due on webhook_delivery (next_try_at) where state = 'waiting';
create index webhook_delivery_order on webhook_delivery (subscription_id, subject, id) where state = 'waiting';

grant select, insert, update on webhook_subscription, webhook_delivery to stowage_app;
grant select, insert on webhook_event to stowage_app;
grant delete on webhook_event, webhook_delivery to stowage_app;
