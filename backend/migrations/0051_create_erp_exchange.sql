-- What goes between us and the ERP besides stock: orders both ways, imports, reconciliations.

-- Orders of ours that must become a sale or a purchase there. The reference finds it again after a lost answer.
create table erp_order (
    site_id     uuid not null references site (id),
    id          uuid not null,
    kind        text not null constraint erp_order_kind_known check (kind in ('sale', 'purchase')),
    our_id      uuid not null,
    reference   text not null,
    partner_id  uuid not null references partner (id),
    wanted_on   date,
    comment     text not null default '',
    lines       jsonb not null,            -- [{item_id, quantity, unit_price|null}]
    state       text not null default 'waiting' constraint erp_order_state_known check (state in ('waiting', 'done', 'parked')),
    attempts    integer not null default 0,
    next_try_at timestamptz not null default now(),
    problem     text,
    words       text,
    erp_id      text,
    erp_number  text,
    created_at  timestamptz not null default clock_timestamp(),
    settled_at  timestamptz,
    primary key (site_id, id),
    constraint erp_order_once unique (site_id, kind, our_id),
    constraint erp_order_reference_unique unique (kind, reference)
);
create index erp_order_to_send on erp_order (created_at) where state = 'waiting';

-- Orders that came from there, as last seen, and what became of them here.
create table erp_seen (
    kind       text not null constraint erp_seen_kind_known check (kind in ('sale', 'purchase')),
    erp_id     text not null,
    number     text not null,
    reference  text not null,
    changed_at timestamptz not null,
    state      text not null,
    site_id    uuid references site (id),
    our_id     uuid,
    words      text,                       -- why it was not taken
    seen_at    timestamptz not null default clock_timestamp(),
    primary key (kind, erp_id)
);
create index erp_seen_refused on erp_seen (kind, seen_at) where words is not null;

create table erp_cursor (
    kind       text primary key constraint erp_cursor_kind_known check (kind in ('sale', 'purchase')),
    changed_at timestamptz not null
);

-- What is on order at suppliers, as the ERP has it.
create table erp_purchase_line (
    erp_id        text not null,
    line_id       text not null,
    number        text not null,
    supplier_id   uuid references partner (id),
    item_id       uuid not null references item (id),
    ordered       numeric(18, 6) not null,
    open_quantity numeric(18, 6) not null,
    unit_price    numeric(18, 6) not null default 0,
    currency      text not null default '',
    wanted_on     date,
    state         text not null,
    primary key (erp_id, line_id)
);
create index erp_purchase_line_open on erp_purchase_line (item_id) where open_quantity > 0 and state = 'confirmed';

create table erp_reconciliation (
    site_id     uuid not null references site (id),
    id          uuid not null,
    state       text not null default 'requested' constraint erp_reconciliation_state_known check (state in ('requested', 'done', 'failed')),
    requested_by text not null,
    requested_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    compared    integer not null default 0,
    drifting    integer not null default 0,
    words       text,
    primary key (site_id, id)
);
create index erp_reconciliation_requested on erp_reconciliation (requested_at) where state = 'requested';

create table erp_drift (
    site_id           uuid not null,
    reconciliation_id uuid not null,
    sku               text not null,
    location          text not null,
    item_id           uuid references item (id),   -- null: the ERP has an item that we do not
    ours              numeric(18, 6) not null,
    not_yet_posted    numeric(18, 6) not null,      -- what the ERP will still hear of: part of `ours`
    theirs            numeric(18, 6) not null,
    drift             numeric(18, 6) not null,      -- theirs + not_yet_posted - ours
    primary key (site_id, reconciliation_id, sku, location),
    foreign key (site_id, reconciliation_id) references erp_reconciliation (site_id, id)
);

create table erp_import (
    site_id      uuid not null references site (id),
    id           uuid not null,
    kind         text not null constraint erp_import_kind_known check (kind in (
                     'items', 'partners', 'locations', 'sales_orders', 'purchase_orders', 'opening_stock')),
    state        text not null default 'requested' constraint erp_import_state_known check (state in ('requested', 'done', 'failed')),
    requested_by text not null,
    requested_at timestamptz not null default clock_timestamp(),
    finished_at  timestamptz,
    created      integer not null default 0,
    changed      integer not null default 0,
    unchanged    integer not null default 0,
    errors       jsonb not null default '[]',       -- [{key, words}]
    words        text,
    primary key (site_id, id)
);
create index erp_import_requested on erp_import (requested_at) where state = 'requested';

grant select, insert, update on erp_order, erp_seen, erp_cursor, erp_reconciliation, erp_import to stowage_app;
grant select, insert, update, delete on erp_purchase_line to stowage_app;
grant select, insert on erp_drift to stowage_app;
