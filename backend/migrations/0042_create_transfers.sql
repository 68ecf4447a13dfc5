-- Stock on its way from one site to another: two movements through each site's in-transit place.

create table transfer (
    site_id       uuid not null references site (id),     -- where it leaves
    id            uuid not null,
    to_site_id    uuid not null references site (id),
    number        text not null,
    state         text not null default 'open' constraint transfer_state_known check (state in ('open', 'dispatched', 'received', 'cancelled')),
    created_at    timestamptz not null default clock_timestamp(),
    created_by    text not null,
    dispatched_at timestamptz,
    dispatched_by text,
    received_at   timestamptz,
    received_by   text,
    primary key (site_id, id),
    constraint transfer_number_unique unique (site_id, number),
    constraint transfer_goes_elsewhere check (site_id <> to_site_id)
);
create index transfer_by_destination on transfer (to_site_id, id);
create sequence transfer_number;

create table transfer_line (
    site_id     uuid not null,
    transfer_id uuid not null,
    id          uuid not null,
    item_id     uuid not null references item (id),
    lot_id      uuid references lot (id),
    serial      text,
    quantity    numeric(18, 6) not null constraint transfer_line_quantity_positive check (quantity > 0 and quantity <> 'NaN'),
    from_place_id uuid not null references place (id),
    status      text not null,
    received    numeric(18, 6) not null default 0 constraint transfer_line_received_not_negative check (received >= 0),
    primary key (site_id, id),
    foreign key (site_id, transfer_id) references transfer (site_id, id)
);
create index transfer_line_by_transfer on transfer_line (site_id, transfer_id);

grant select, insert, update on transfer, transfer_line to stowage_app;
grant usage on sequence transfer_number to stowage_app;
