-- Putaway: what stands at a dock and where it should go.

create table putaway_task (
    id                uuid primary key,
    site_id           uuid not null references site (id),
    cause_kind        text not null,               -- receipt, return, put_back, plate
    cause_id          uuid,
    license_plate_id  uuid references license_plate (id),
    item_id           uuid references item (id),   -- of loose goods; null for a license plate
    lot_id            uuid references lot (id),
    out_of_plate_id   uuid references license_plate (id), -- loose goods that still lie in a tote or on a pallet
    status            text not null default 'available',
    quantity          numeric(18, 6) not null constraint putaway_task_quantity_positive check (quantity > 0),
    from_place_id     uuid not null references place (id),
    proposed_place_id uuid references place (id),
    reasons           jsonb not null default '[]',
    state             text not null default 'open' constraint putaway_task_state_known check (state in ('open', 'claimed', 'done', 'cancelled')),
    claimed_by        text,
    claimed_at        timestamptz,
    place_id          uuid references place (id),  -- where it really went
    overridden        boolean not null default false,
    done_by           text,
    done_at           timestamptz,
    created_at        timestamptz not null default clock_timestamp(),
    constraint putaway_task_names_one_thing check ((license_plate_id is null) <> (item_id is null)),
    constraint putaway_task_claimed_by_someone check (state <> 'claimed' or claimed_by is not null)
);
create unique index putaway_task_plate_once on putaway_task (license_plate_id) where state in ('open', 'claimed') and license_plate_id is not null;
create unique index putaway_task_loose_once on putaway_task (cause_id, item_id, lot_id, status, from_place_id, out_of_plate_id) nulls not distinct
    where state in ('open', 'claimed') and item_id is not null;
create index putaway_task_open on putaway_task (site_id, state, created_at);
create index putaway_task_proposed on putaway_task (proposed_place_id) where state in ('open', 'claimed');

grant select, insert, update on putaway_task to stowage_app;
