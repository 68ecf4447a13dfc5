-- The append-only, double-entry stock ledger, its cache of balances, and reservations on them.

create table movement (
    site_id               uuid not null references site (id),
    id                    uuid not null,
    seq                   bigint generated always as identity,
    item_id               uuid not null references item (id),
    lot_id                uuid references lot (id),
    serial                text,
    owner_id              uuid references partner (id),
    quantity              numeric(18, 6) not null constraint movement_quantity_positive check (quantity > 0 and quantity <> 'NaN'),
    from_place_id         uuid not null references place (id),
    from_license_plate_id uuid references license_plate (id),
    from_status           text not null constraint movement_from_status_known check (from_status in ('available', 'damaged', 'quarantine')),
    to_place_id           uuid not null references place (id),
    to_license_plate_id   uuid references license_plate (id),
    to_status             text not null constraint movement_to_status_known check (to_status in ('available', 'damaged', 'quarantine')),
    from_on_hand_after    numeric(18, 6),   -- of the balance row it left; null for a virtual place
    to_on_hand_after      numeric(18, 6),
    reason                text not null,
    occurred_at           timestamptz not null,
    recorded_at           timestamptz not null default clock_timestamp(),
    actor                 text not null,
    cause_kind            text not null,
    cause_id              uuid,
    correlation_id        text not null,
    reverses_id           uuid,
    erp_from              text,
    erp_to                text,
    posting               text not null constraint movement_posting_known check (posting in ('to_post', 'nothing')),
    evidence              jsonb not null default '{}',
    primary key (site_id, id),
    constraint movement_goes_somewhere check (
        (from_place_id, from_license_plate_id, from_status) is distinct from (to_place_id, to_license_plate_id, to_status)),
    constraint movement_serial_is_one check (serial is null or quantity = 1),
    constraint movement_reversed_once unique (site_id, reverses_id),
    foreign key (site_id, reverses_id) references movement (site_id, id)
);
create index movement_by_id on movement (id);
create index movement_by_item on movement (site_id, item_id, seq);
create index movement_by_from_place on movement (site_id, from_place_id, seq);
create index movement_by_to_place on movement (site_id, to_place_id, seq);
create index movement_by_cause on movement (site_id, cause_kind, cause_id);
create index movement_by_seq on movement (site_id, seq);
create index movement_by_serial on movement (item_id, serial) where serial is not null;
create index movement_by_from_plate on movement (from_license_plate_id) where from_license_plate_id is not null;
create index movement_by_to_plate on movement (to_license_plate_id) where to_license_plate_id is not null;
create index movement_by_lot on movement (lot_id, seq) where lot_id is not null;

-- Nobody rewrites the ledger, the owner of the tables included.
create function refuse_ledger_rewrite() returns trigger language plpgsql as $$
begin
    raise exception 'the ledger is append-only: % on % refused; post a reversing movement instead', tg_op, tg_table_name
        using errcode = 'restrict_violation', constraint = 'ledger_is_append_only';
end $$;
create trigger movement_is_append_only before update or delete on movement
    for each row execute function refuse_ledger_rewrite();
create trigger movement_is_never_truncated before truncate on movement
    for each statement execute function refuse_ledger_rewrite();

-- A cache of the ledger: one row per key of a physical place. `stowage verify` rebuilds and compares it.
create table balance (
    site_id          uuid not null references site (id),
    place_id         uuid not null references place (id),
    item_id          uuid not null references item (id),
    lot_id           uuid references lot (id),
    serial           text,
    license_plate_id uuid references license_plate (id),
    owner_id         uuid references partner (id),
    status           text not null constraint balance_status_known check (status in ('available', 'damaged', 'quarantine')),
    on_hand          numeric(18, 6) not null default 0 constraint balance_on_hand_not_negative check (on_hand >= 0),
    reserved         numeric(18, 6) not null default 0 constraint balance_reserved_not_negative check (reserved >= 0),
    updated_at       timestamptz not null default clock_timestamp(),
    constraint balance_reserved_within_on_hand check (reserved <= on_hand),
    constraint balance_serial_is_one check (serial is null or on_hand <= 1),
    constraint balance_reserved_is_available check (reserved = 0 or status = 'available'),
    constraint balance_key_unique unique nulls not distinct
        (site_id, place_id, item_id, lot_id, serial, license_plate_id, owner_id, status)
);
create index balance_by_item on balance (site_id, item_id) where on_hand > 0;
create index balance_by_plate on balance (license_plate_id) where license_plate_id is not null;
create unique index balance_serial_once on balance (item_id, serial) where serial is not null and on_hand > 0;

create table reservation (
    site_id          uuid not null references site (id),
    id               uuid not null,
    demand_kind      text not null,           -- order_line, transfer_line ...
    demand_id        uuid not null,
    place_id         uuid not null references place (id),
    item_id          uuid not null references item (id),
    lot_id           uuid references lot (id),
    serial           text,
    license_plate_id uuid references license_plate (id),
    owner_id         uuid references partner (id),
    quantity         numeric(18, 6) not null constraint reservation_quantity_not_negative check (quantity >= 0),
    created_at       timestamptz not null default clock_timestamp(),
    closed_at        timestamptz,
    primary key (site_id, id),
    constraint reservation_open_has_quantity check ((quantity = 0) = (closed_at is not null))
);
create index reservation_by_demand on reservation (demand_kind, demand_id) where closed_at is null;
create index reservation_by_key on reservation (site_id, place_id, item_id) where closed_at is null;

grant select, insert on movement to stowage_app;
grant select, insert, update on balance, reservation to stowage_app;
