-- Cartons: what is packed for an order at a bench, what it should weigh and what it does.

-- open -> closed -> loaded -> shipped (loaded goes back to closed when it is unloaded), or cancelled with its order.
create table carton (
    site_id           uuid not null references site (id),
    id                uuid not null references license_plate (id),
    order_id          uuid not null,
    position          integer not null,
    bench_id          uuid not null references place (id),
    state             text not null default 'open' constraint carton_state_known check (state in ('open', 'closed', 'loaded', 'shipped', 'cancelled')),
    tare_g            numeric(14, 3) not null constraint carton_tare_positive check (tare_g >= 0),
    weight_g          numeric(14, 3) constraint carton_weight_positive check (weight_g > 0),
    weighed_at        timestamptz,
    weighed_by        text,
    override_by       text,
    override_reason   text,
    opened_at         timestamptz not null,
    opened_by         text not null,
    closed_at         timestamptz,
    closed_by         text,
    version           integer not null default 1,
    primary key (site_id, id),
    foreign key (site_id, order_id) references sales_order (site_id, id),
    constraint carton_position_unique unique (site_id, order_id, position)
);
create unique index carton_one_open_at_a_bench on carton (site_id, bench_id) where state = 'open';
create unique index carton_by_id on carton (id);
create index carton_by_state on carton (site_id, state, id);

-- The packing document: it stays when the goods have left.
create table carton_content (
    site_id   uuid not null,
    id        uuid not null,
    carton_id uuid not null,
    line_id   uuid not null,
    item_id   uuid not null references item (id),
    lot_id    uuid references lot (id),
    serial    text,
    quantity  numeric(18, 6) not null constraint carton_content_quantity_positive check (quantity > 0),
    primary key (site_id, id),
    foreign key (site_id, carton_id) references carton (site_id, id),
    foreign key (site_id, line_id) references sales_order_line (site_id, id),
    constraint carton_content_unique unique nulls not distinct (site_id, carton_id, line_id, item_id, lot_id, serial)
);

-- What scanner, scale and people did at a bench, and what was refused: the bench's screen shows the newest.
create table bench_event (
    site_id   uuid not null references site (id),
    id        uuid not null,
    bench_id  uuid not null references place (id),
    carton_id uuid,
    at        timestamptz not null,
    actor     text not null,
    what      text not null constraint bench_event_what_known check (what in ('opened', 'packed', 'unpacked', 'weighed', 'closed', 'refused', 'ignored')),
    code      text,
    detail    text not null,
    primary key (site_id, id)
);
create index bench_event_newest on bench_event (site_id, bench_id, id desc);

grant select, insert, update on carton to stowage_app;
grant select, insert, update, delete on carton_content to stowage_app;
grant select, insert on bench_event to stowage_app;
