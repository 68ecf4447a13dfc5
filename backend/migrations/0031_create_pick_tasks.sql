-- Waves, pick tasks (one for each promise on a shelf), and what was scanned instead of the right thing.

create sequence wave_number_seq;
create table wave (
    site_id    uuid not null references site (id),
    id         uuid not null,
    number     text not null,
    created_at timestamptz not null,
    created_by text not null,
    primary key (site_id, id),
    constraint wave_number_unique unique (site_id, number)
);
alter table sales_order add foreign key (site_id, wave_id) references wave (site_id, id);
create index sales_order_by_wave on sales_order (site_id, wave_id) where wave_id is not null;

-- open -> claimed -> done, or back to open when it is skipped or its worker is idle; short and cancelled end it as well.
create table pick_task (
    site_id          uuid not null references site (id),
    id               uuid not null,
    order_id         uuid not null,
    line_id          uuid not null,
    wave_id          uuid,
    reservation_id   uuid not null,
    place_id         uuid not null references place (id),
    item_id          uuid not null references item (id),
    lot_id           uuid references lot (id),
    serial           text,
    license_plate_id uuid references license_plate (id),
    quantity         numeric(18, 6) not null constraint pick_task_quantity_not_negative check (quantity >= 0),
    picked           numeric(18, 6) not null default 0 constraint pick_task_picked_within_quantity check (picked between 0 and quantity),
    sequence         integer not null default 0,
    state            text not null default 'open' constraint pick_task_state_known check (state in ('open', 'claimed', 'done', 'short', 'cancelled')),
    claimed_by       text,
    touched_at       timestamptz,
    skipped_at       timestamptz,
    skip_reason      text,
    short_reason     text,
    zero_check       text constraint pick_task_zero_check_known check (zero_check in ('asked', 'empty', 'not_empty')),
    created_at       timestamptz not null,
    done_at          timestamptz,
    version          integer not null default 1,
    primary key (site_id, id),
    foreign key (site_id, order_id) references sales_order (site_id, id),
    foreign key (site_id, line_id) references sales_order_line (site_id, id),
    foreign key (site_id, wave_id) references wave (site_id, id),
    constraint pick_task_claim_names_worker check (state <> 'claimed' or claimed_by is not null)
);
create unique index pick_task_by_id on pick_task (id);
create unique index pick_task_one_for_a_promise on pick_task (reservation_id) where state in ('open', 'claimed');
create index pick_task_to_do on pick_task (site_id, wave_id, order_id) where state in ('open', 'claimed');
create index pick_task_by_order on pick_task (site_id, order_id);
create index pick_task_by_worker on pick_task (site_id, claimed_by) where state = 'claimed';

create table pick_mismatch (
    site_id  uuid not null references site (id),
    id       uuid not null,
    task_id  uuid not null,
    at       timestamptz not null,
    actor    text not null,
    what     text not null constraint pick_mismatch_what_known check (what in ('place', 'item', 'lot', 'serial', 'license_plate', 'tote')),
    expected text not null,
    seen     text not null,
    primary key (site_id, id),
    foreign key (site_id, task_id) references pick_task (site_id, id)
);
create index pick_mismatch_by_task on pick_mismatch (site_id, task_id);

grant usage on sequence wave_number_seq to stowage_app;
grant select, insert on wave, pick_mismatch to stowage_app;
grant select, insert, update on pick_task to stowage_app;
