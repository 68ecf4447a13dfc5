-- Where reality and books differ, and the counts that settle it.

create table discrepancy (
    site_id      uuid not null references site (id),
    id           uuid not null,
    kind         text not null,      -- short_pick, over_receipt, unexpected_passage, count_difference ...
    item_id      uuid references item (id),
    lot_id       uuid references lot (id),
    place_id     uuid references place (id),
    expected     numeric(18, 6),
    observed     numeric(18, 6),
    evidence     jsonb not null default '{}',
    state        text not null default 'open' constraint discrepancy_state_known check (state in ('open', 'resolved')),
    raised_at    timestamptz not null default clock_timestamp(),
    raised_by    text not null,
    correlation_id text not null,
    resolved_at  timestamptz,
    resolved_by  text,
    resolution   text,
    primary key (site_id, id),
    constraint discrepancy_resolved_has_words check ((state = 'resolved') = (resolution is not null))
);
create index discrepancy_open on discrepancy (site_id, raised_at) where state = 'open';

create table count_task (
    site_id        uuid not null references site (id),
    id             uuid not null,
    place_id       uuid not null references place (id),
    item_id        uuid references item (id),   -- null: everything in the place
    state          text not null default 'open' constraint count_task_state_known
                   check (state in ('open', 'recount', 'to_approve', 'done', 'cancelled')),
    reason         text not null,
    tolerance      numeric(18, 6) not null default 0 constraint count_task_tolerance_not_negative check (tolerance >= 0),
    discrepancy_id uuid,
    round          integer not null default 1,
    counted_by     text[] not null default '{}',   -- one name a finished round
    assigned_to    text,
    created_at     timestamptz not null default clock_timestamp(),
    created_by     text not null,
    closed_at      timestamptz,
    closed_by      text,
    version        integer not null default 1,
    primary key (site_id, id),
    foreign key (site_id, discrepancy_id) references discrepancy (site_id, id)
);
-- one open task for one question
create unique index count_task_open_once on count_task (site_id, place_id, item_id) nulls not distinct
    where state in ('open', 'recount', 'to_approve');

create table count_line (
    site_id    uuid not null,
    task_id    uuid not null,
    id         uuid not null,
    round      integer not null,
    item_id    uuid not null references item (id),
    lot_id     uuid references lot (id),
    serial     text,
    quantity   numeric(18, 6) not null constraint count_line_quantity_not_negative check (quantity >= 0 and quantity <> 'NaN'),
    counted_by text not null,
    counted_at timestamptz not null default clock_timestamp(),
    primary key (site_id, id),
    foreign key (site_id, task_id) references count_task (site_id, id)
);
create index count_line_by_task on count_line (site_id, task_id, round);
create unique index count_line_serial_once on count_line (site_id, task_id, round, item_id, serial) where serial is not null;

grant select, insert, update on discrepancy, count_task to stowage_app;
grant select, insert, delete on count_line to stowage_app;
