-- Shipments: which orders leave on which vehicle through which door, what was loaded, what really left.

create sequence shipment_number_seq;
create table shipment (
    site_id     uuid not null references site (id),
    id          uuid not null,
    number      text not null,
    -- planned -> loading -> departed, or cancelled when nothing is left on it
    state       text not null default 'planned' constraint shipment_state_known check (state in ('planned', 'loading', 'departed', 'cancelled')),
    vehicle_id  uuid references place (id),
    door_id     uuid references place (id),
    created_at  timestamptz not null,
    created_by  text not null,
    departed_at timestamptz,
    departed_by text,
    version     integer not null default 1,
    primary key (site_id, id),
    constraint shipment_number_unique unique (site_id, number)
);
create unique index shipment_by_id on shipment (id);
create unique index shipment_vehicle_once on shipment (vehicle_id) where state in ('planned', 'loading') and vehicle_id is not null;
create index shipment_at_door on shipment (site_id, door_id) where state in ('planned', 'loading');

-- `current` until the shipment departs or the order is taken off it: an order is on one shipment at a time.
create table shipment_order (
    site_id     uuid not null,
    shipment_id uuid not null,
    order_id    uuid not null,
    current     boolean not null default true,
    primary key (site_id, shipment_id, order_id),
    foreign key (site_id, shipment_id) references shipment (site_id, id),
    foreign key (site_id, order_id) references sales_order (site_id, id)
);
create unique index shipment_order_once on shipment_order (site_id, order_id) where current;

create table shipment_carton (
    site_id     uuid not null,
    shipment_id uuid not null,
    carton_id   uuid not null,
    loaded_at   timestamptz not null,
    loaded_by   text not null,
    confirmed_at timestamptz,            -- a portal saw it go
    confirmed_by text,
    unloaded_at timestamptz,
    primary key (site_id, shipment_id, carton_id),
    foreign key (site_id, shipment_id) references shipment (site_id, id),
    foreign key (site_id, carton_id) references carton (site_id, id)
);
create unique index shipment_carton_once on shipment_carton (site_id, carton_id) where unloaded_at is null;

-- The tags of single units that a portal saw leave with a shipment: each accounts for goods once.
create table shipment_unit (
    site_id     uuid not null,
    shipment_id uuid not null,
    epc         text not null,
    item_id     uuid not null references item (id),
    quantity    numeric(18, 6) not null,
    at          timestamptz not null,
    primary key (site_id, shipment_id, epc),
    foreign key (site_id, shipment_id) references shipment (site_id, id)
);

create table shipment_event (
    site_id     uuid not null references site (id),
    id          uuid not null,
    shipment_id uuid,
    door_id     uuid references place (id),
    at          timestamptz not null,
    actor       text not null,
    what        text not null constraint shipment_event_what_known check (what in (
                    'loaded', 'unloaded', 'confirmed', 'refused', 'stray', 'departed')),
    code        text,
    expected    text,
    detail      text not null,
    evidence    jsonb not null default '{}',
    primary key (site_id, id)
);
create index shipment_event_by_shipment on shipment_event (site_id, shipment_id, id);

grant usage on sequence shipment_number_seq to stowage_app;
grant select, insert, update on shipment, shipment_order, shipment_carton to stowage_app;
grant select, insert on shipment_unit, shipment_event to stowage_app;
