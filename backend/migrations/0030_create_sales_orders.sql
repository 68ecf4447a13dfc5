-- Sales orders, their lines, and bins that are left alone until they are counted.

create sequence sales_order_number_seq;

-- open -> allocated -> picking -> packed -> loaded -> shipped, or cancelled before it is loaded. The state follows
-- from where the reserved goods of the lines are (`order_line_progress`); it stands here to be filtered by.
create table sales_order (
    site_id         uuid not null references site (id),
    id              uuid not null,
    number          text not null,
    source          text not null constraint sales_order_source_known check (source in ('erp', 'crm', 'api')),
    external_number text not null,
    customer_id     uuid not null references partner (id),
    state           text not null default 'open' constraint sales_order_state_known check (state in (
                        'open', 'allocated', 'picking', 'packed', 'loaded', 'shipped', 'cancelled')),
    priority        smallint not null default 5 constraint sales_order_priority_range check (priority between 1 and 9),
    due_at          timestamptz not null,
    ship_to         jsonb not null default '{}',
    note            text not null default '',
    erp_id          text,
    erp_number      text,
    wave_id         uuid,
    received_at     timestamptz not null,
    shipped_at      timestamptz,
    cancelled_at    timestamptz,
    cancel_reason   text,
    version         integer not null default 1,
    primary key (site_id, id),
    constraint sales_order_number_unique unique (site_id, number),
    constraint sales_order_external_number_unique unique (site_id, source, external_number)
);
create unique index sales_order_by_id on sales_order (id);
create index sales_order_unfinished on sales_order (site_id, priority, due_at, id) where state not in ('shipped', 'cancelled');
create index sales_order_by_customer on sales_order (site_id, customer_id, id);

create table sales_order_line (
    site_id     uuid not null,
    id          uuid not null,
    order_id    uuid not null,
    position    integer not null,
    item_id     uuid not null references item (id),
    pack_id     uuid references item_pack (id),
    quantity    numeric(18, 6) not null constraint sales_order_line_quantity_not_negative check (quantity >= 0),
    shipped     numeric(18, 6) not null default 0 constraint sales_order_line_shipped_within_ordered check (shipped between 0 and quantity),
    external_id text,
    version     integer not null default 1,
    primary key (site_id, id),
    foreign key (site_id, order_id) references sales_order (site_id, id),
    constraint sales_order_line_position_unique unique (site_id, order_id, position)
);
create unique index sales_order_line_by_id on sales_order_line (id);
create index sales_order_line_by_item on sales_order_line (site_id, item_id) where quantity > shipped;

-- How far each line is, told by where the goods reserved for it stand. Nothing is counted twice, so nothing can drift.
create view order_line_progress as
    select l.site_id, l.id as line_id, l.order_id, l.item_id, l.quantity, l.shipped,
           coalesce(sum(r.quantity) filter (where r.stage = 'allocated'), 0) as allocated,
           coalesce(sum(r.quantity) filter (where r.stage = 'picked'), 0) as picked,
           coalesce(sum(r.quantity) filter (where r.stage = 'packed'), 0) as packed,
           coalesce(sum(r.quantity) filter (where r.stage = 'loaded'), 0) as loaded,
           l.quantity - l.shipped - coalesce(sum(r.quantity), 0) as waiting
    from sales_order_line l left join lateral (
        select v.quantity, case when p.kind in ('vehicle', 'dock_door') then 'loaded'
                                when p.kind in ('bin', 'zone', 'aisle') then 'allocated'
                                when lp.kind = 'carton' then 'packed'
                                else 'picked' end as stage
        from reservation v join place p on p.id = v.place_id left join license_plate lp on lp.id = v.license_plate_id
        where v.demand_kind = 'order_line' and v.demand_id = l.id and v.closed_at is null) r on true
    group by l.site_id, l.id, l.order_id, l.item_id, l.quantity, l.shipped;

-- A short pick says that the books are wrong about a bin: nothing more of the item is promised from it until it is
-- counted, or until this expires.
create table bin_block (
    site_id    uuid not null references site (id),
    place_id   uuid not null references place (id),
    item_id    uuid not null references item (id),
    reason     text not null,
    blocked_at timestamptz not null,
    until      timestamptz not null,
    primary key (site_id, place_id, item_id)
);

grant usage on sequence sales_order_number_seq to stowage_app;
grant select, insert, update on sales_order, sales_order_line to stowage_app;
grant select on order_line_progress to stowage_app;
grant select, insert, update, delete on bin_block to stowage_app;
