-- Dispatch: where vehicles start, what they may carry, what has to be brought to whom, on which route, and what became of it.

-- Where routes start and end. The site's own yard is one.
create table depot (
    site_id    uuid not null references site (id),
    id         uuid not null,
    code       text not null constraint depot_code_shape check (code ~ '^[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}$'),
    name       text not null,
    address    text not null default '',
    lat        double precision not null constraint depot_lat_range check (lat between -90 and 90),
    lon        double precision not null constraint depot_lon_range check (lon between -180 and 180),
    load_s     integer not null default 600 constraint depot_load_range check (load_s between 0 and 14400),
    active     boolean not null default true,
    version    integer not null default 1,
    primary key (site_id, id),
    constraint depot_code_unique unique (site_id, code)
);

-- What a place of kind `vehicle` can carry and what it costs. Its id is the place's.
create table delivery_vehicle (
    site_id      uuid not null references site (id),
    id           uuid not null references place (id),
    depot_id     uuid not null,
    plate        text not null default '',
    max_weight_g bigint not null constraint delivery_vehicle_weight_positive check (max_weight_g > 0),
    max_volume_ml bigint not null constraint delivery_vehicle_volume_positive check (max_volume_ml > 0),
    max_cartons  integer not null default 1000 constraint delivery_vehicle_cartons_positive check (max_cartons > 0),
    fixed_cost_cents    integer not null default 0 constraint delivery_vehicle_fixed_cost_range check (fixed_cost_cents between 0 and 100000000),
    cost_per_km_cents   integer not null default 60 constraint delivery_vehicle_km_cost_range check (cost_per_km_cents between 0 and 1000000),
    cost_per_h_cents    integer not null default 3500 constraint delivery_vehicle_h_cost_range check (cost_per_h_cents between 0 and 10000000),
    skills       text[] not null default '{}',
    -- The edge agent and device whose GPS it carries.
    gps_agent    text,
    gps_device   text,
    active       boolean not null default true,
    version      integer not null default 1,
    primary key (site_id, id),
    foreign key (site_id, depot_id) references depot (site_id, id)
);
create unique index delivery_vehicle_gps_once on delivery_vehicle (site_id, gps_agent, gps_device) where active and gps_device is not null;

-- When a vehicle drives, and who. Shifts of one vehicle do not overlap (checked under the vehicle's lock).
create table vehicle_shift (
    site_id     uuid not null references site (id),
    id          uuid not null,
    vehicle_id  uuid not null,
    driver_id   uuid references app_user (id),
    starts_at   timestamptz not null,
    ends_at     timestamptz not null,
    break_s     integer not null default 0 constraint vehicle_shift_break_range check (break_s between 0 and 14400),
    break_from  timestamptz,     -- the break begins between these two
    break_until timestamptz,
    cancelled_at timestamptz,
    version     integer not null default 1,
    primary key (site_id, id),
    foreign key (site_id, vehicle_id) references delivery_vehicle (site_id, id),
    constraint vehicle_shift_ends_after_start check (ends_at > starts_at and ends_at <= starts_at + interval '24 hours'),
    constraint vehicle_shift_break_whole check (break_s = 0 or (break_from >= starts_at and break_until >= break_from and break_until <= ends_at))
);
create index vehicle_shift_by_time on vehicle_shift (site_id, starts_at);

-- What has to be brought to whom: the packed cartons of one order, one attempt. A further attempt is a further job.
-- to_review -> ready -> planned -> released -> aboard -> delivered | partly_delivered | refused | nobody_there, or cancelled.
-- `to_review`: the map does not know the address. `aboard`: its vehicle has left with it.
create sequence delivery_job_number_seq;
create table delivery_job (
    site_id      uuid not null references site (id),
    id           uuid not null,
    number       text not null,
    order_id     uuid not null,
    attempt      integer not null default 1 constraint delivery_job_attempt_positive check (attempt > 0),
    previous_id  uuid,
    state        text not null constraint delivery_job_state_known check (state in (
                     'to_review', 'ready', 'planned', 'released', 'aboard', 'delivered', 'partly_delivered', 'refused', 'nobody_there', 'cancelled')),
    customer_name text not null,
    phone        text not null default '',
    address      text not null,
    note         text not null default '',
    lat          double precision constraint delivery_job_lat_range check (lat between -90 and 90),
    lon          double precision constraint delivery_job_lon_range check (lon between -180 and 180),
    located_by   text constraint delivery_job_located_by_known check (located_by in ('order', 'map', 'pin')),
    located_as   text not null default '',   -- what the map calls it
    window_from  timestamptz not null,
    window_until timestamptz not null,
    service_s    integer not null constraint delivery_job_service_range check (service_s between 0 and 14400),
    weight_g     bigint not null constraint delivery_job_weight_not_negative check (weight_g >= 0),
    volume_ml    bigint not null constraint delivery_job_volume_not_negative check (volume_ml >= 0),
    skills       text[] not null default '{}',
    priority     smallint not null default 5 constraint delivery_job_priority_range check (priority between 1 and 9),
    -- Why it stands in a tray, from the last planning: a word of routing.UnservedReason, `too_far_from_road`, `roads_down`, `vehicle_broke_down`.
    unplanned    text,
    unplanned_detail text not null default '',
    -- Where its goods are when they are not at the depot: the route whose vehicle broke down.
    goods_on_route_id uuid,
    -- What the customer was told at the release of its route.
    promised_from  timestamptz,
    promised_until timestamptz,
    created_at   timestamptz not null,
    finished_at  timestamptz,
    version      integer not null default 1,
    primary key (site_id, id),
    foreign key (site_id, order_id) references sales_order (site_id, id),
    constraint delivery_job_number_unique unique (site_id, number),
    constraint delivery_job_window_ends_after_start check (window_until >= window_from),
    constraint delivery_job_located_where_ready check (state in ('to_review', 'cancelled') or (lat is not null and lon is not null))
);
create unique index delivery_job_by_id on delivery_job (id);
create index delivery_job_open on delivery_job (site_id, state, window_from) where finished_at is null;
create index delivery_job_by_order on delivery_job (site_id, order_id);

create table delivery_job_carton (
    site_id   uuid not null,
    job_id    uuid not null,
    carton_id uuid not null,
    primary key (site_id, job_id, carton_id),
    foreign key (site_id, job_id) references delivery_job (site_id, id),
    foreign key (site_id, carton_id) references carton (site_id, id)
);
create index delivery_job_carton_by_carton on delivery_job_carton (site_id, carton_id);

-- A planning run and what it proposes: computing -> proposed -> accepted | discarded; or failed, with the reason.
-- `base` says which versions of jobs and routes it was made from: accepting over a changed board is refused.
create table delivery_plan (
    site_id     uuid not null references site (id),
    id          uuid not null,
    state       text not null constraint delivery_plan_state_known check (state in ('computing', 'proposed', 'accepted', 'discarded', 'failed')),
    day         date not null,
    depot_id    uuid,
    asked       jsonb not null default '{}',
    base        jsonb not null default '{}',
    proposal    jsonb,
    difference  jsonb,
    problem     text,            -- in words, where it failed
    progress    text not null default '',
    created_at  timestamptz not null,
    created_by  text not null,
    settled_at  timestamptz,
    version     integer not null default 1,
    primary key (site_id, id)
);
create index delivery_plan_by_day on delivery_plan (site_id, day, created_at desc);

-- draft -> released -> loading -> under_way -> back -> finished, or cancelled, or broken_down.
-- `back`: at the depot again, what was not delivered has to be unloaded by scan.
create sequence delivery_route_number_seq;
create table delivery_route (
    site_id     uuid not null references site (id),
    id          uuid not null,
    number      text not null,
    state       text not null default 'draft' constraint delivery_route_state_known check (state in (
                    'draft', 'released', 'loading', 'under_way', 'back', 'finished', 'cancelled', 'broken_down')),
    day         date not null,
    vehicle_id  uuid not null,
    shift_id    uuid not null,
    depot_id    uuid not null,
    shipment_id uuid,
    plan_id     uuid,
    locked      boolean not null default false,
    starts_at   timestamptz not null,
    ends_at     timestamptz not null,
    distance_m  integer not null default 0,
    drive_s     integer not null default 0,
    -- [[lon, lat], ...] along the road; null where the road server did not answer, then straight lines are shown and said to be.
    geometry    jsonb,
    estimated   boolean not null default false,   -- some leg is a straight-line estimate
    released_at timestamptz,
    departed_at timestamptz,
    back_at     timestamptz,
    finished_at timestamptz,
    left_depot_at timestamptz,                    -- seen there
    eta_back_at timestamptz,
    -- `plan`: there is no fresh position, the ETAs are estimates by the plan.
    eta_by      text not null default 'plan' constraint delivery_route_eta_by_known check (eta_by in ('plan', 'position')),
    late_s      integer not null default 0,       -- foreseen at the end of its shift
    stands_lat  double precision,                 -- where it broke down
    stands_lon  double precision,
    version     integer not null default 1,
    primary key (site_id, id),
    foreign key (site_id, vehicle_id) references delivery_vehicle (site_id, id),
    foreign key (site_id, shift_id) references vehicle_shift (site_id, id),
    foreign key (site_id, depot_id) references depot (site_id, id),
    foreign key (site_id, shipment_id) references shipment (site_id, id),
    constraint delivery_route_number_unique unique (site_id, number)
);
create unique index delivery_route_by_id on delivery_route (id);
create unique index delivery_route_one_under_way on delivery_route (site_id, vehicle_id) where state in ('loading', 'under_way', 'back');
create unique index delivery_route_shift_once on delivery_route (site_id, shift_id) where state not in ('cancelled', 'finished', 'broken_down');
create index delivery_route_by_day on delivery_route (site_id, day);

-- planned -> arrived -> done | failed; `skipped` where it was passed over and taken off again.
create table delivery_stop (
    site_id     uuid not null,
    id          uuid not null,
    route_id    uuid not null,
    position    integer not null constraint delivery_stop_position_positive check (position > 0),
    kind        text not null default 'delivery' constraint delivery_stop_kind_known check (kind in ('delivery', 'break', 'reload', 'take_over')),
    job_id      uuid,
    state       text not null default 'planned' constraint delivery_stop_state_known check (state in ('planned', 'arrived', 'done', 'failed', 'skipped')),
    locked      boolean not null default false,
    planned_arrival_at timestamptz not null,
    planned_start_at   timestamptz not null,
    planned_leave_at   timestamptz not null,
    leg_m       integer not null default 0,   -- from the stop before
    leg_s       integer not null default 0,
    lat         double precision,             -- where it is, where that is not the customer's door: a vehicle that broke down
    lon         double precision,
    eta_at      timestamptz,                  -- live
    late_s      integer not null default 0,   -- foreseen or real, against the window's end
    arrived_at  timestamptz,
    arrived_by  text constraint delivery_stop_arrived_by_known check (arrived_by in ('geofence', 'driver')),
    left_at     timestamptz,
    done_at     timestamptz,
    arriving_told_at timestamptz,             -- the customer was told once
    late_told_at     timestamptz,
    primary key (site_id, id),
    foreign key (site_id, route_id) references delivery_route (site_id, id),
    foreign key (site_id, job_id) references delivery_job (site_id, id),
    constraint delivery_stop_position_unique unique (site_id, route_id, position) deferrable initially deferred,
    constraint delivery_stop_has_a_job check ((kind in ('delivery', 'take_over')) = (job_id is not null))
);
create index delivery_stop_by_job on delivery_stop (site_id, job_id) where job_id is not null;
create index delivery_stop_by_route on delivery_stop (site_id, route_id, position);
create unique index delivery_stop_job_once on delivery_stop (site_id, job_id) where kind = 'delivery' and state in ('planned', 'arrived');

-- What a route's vehicle has in it by the books, from its departure on: what was packed for whom, and how much of it is left.
-- Handing over or unloading lowers it; nobody hands over more than is there. The goods are in the site's in-transit place.
create table aboard (
    site_id       uuid not null,
    id            uuid not null,
    job_id        uuid not null,
    route_id      uuid not null,     -- whose vehicle has it now: another's after a take-over
    carton_id     uuid not null,
    item_id       uuid not null references item (id),
    lot_id        uuid references lot (id),
    serial        text,
    owner_id      uuid references partner (id),
    status        text not null,
    order_line_id uuid,
    taken         numeric(18, 6) not null constraint aboard_taken_positive check (taken > 0),
    quantity      numeric(18, 6) not null constraint aboard_not_negative check (quantity >= 0),
    primary key (site_id, id),
    foreign key (site_id, job_id) references delivery_job (site_id, id),
    foreign key (site_id, route_id) references delivery_route (site_id, id),
    foreign key (site_id, carton_id) references carton (site_id, id),
    constraint aboard_within_taken check (quantity <= taken),
    constraint aboard_once unique nulls not distinct (site_id, job_id, carton_id, item_id, lot_id, serial, owner_id, status, order_line_id)
);
create index aboard_by_route on aboard (site_id, route_id) where quantity > 0;
create index aboard_by_carton on aboard (site_id, carton_id) where quantity > 0;

-- What happened at a customer's door, and the proof. One a job; never changed.
create table delivery_proof (
    site_id       uuid not null,
    id            uuid not null,
    job_id        uuid not null,
    stop_id       uuid,
    outcome       text not null constraint delivery_proof_outcome_known check (outcome in ('delivered', 'partly_delivered', 'refused', 'nobody_there')),
    occurred_at   timestamptz not null,
    recorded_at   timestamptz not null default clock_timestamp(),
    actor         text not null,
    receiver_name text not null default '',
    reason        text not null default '',
    lat           double precision,
    lon           double precision,
    signature_svg text constraint delivery_proof_signature_small check (length(signature_svg) <= 400000),
    photo         bytea constraint delivery_proof_photo_small check (octet_length(photo) <= 1200000),
    photo_type    text constraint delivery_proof_photo_type_known check (photo_type in ('image/jpeg', 'image/png', 'image/webp')),
    primary key (site_id, id),
    foreign key (site_id, job_id) references delivery_job (site_id, id),
    constraint delivery_proof_once unique (site_id, job_id)
);
-- Every carton of the job, with what was handed over and what was not.
create table delivery_proof_line (
    site_id   uuid not null,
    proof_id  uuid not null,
    carton_id uuid not null,
    sscc      text not null,
    item_id   uuid not null references item (id),
    lot_id    uuid references lot (id),
    serial    text,
    aboard    numeric(18, 6) not null,
    delivered numeric(18, 6) not null,
    reason    text not null default '',
    scanned   boolean not null default false,
    constraint delivery_proof_line_once unique nulls not distinct (site_id, proof_id, carton_id, item_id, lot_id, serial),
    constraint delivery_proof_line_within_aboard check (delivered between 0 and aboard),
    foreign key (site_id, proof_id) references delivery_proof (site_id, id)
);

create function refuse_proof_rewrite() returns trigger language plpgsql as $$
begin
    raise exception 'a proof of delivery is never changed: % on % refused', tg_op, tg_table_name
        using errcode = 'restrict_violation', constraint = 'delivery_proof_is_final';
end $$;
create trigger delivery_proof_is_final before update or delete on delivery_proof
    for each row execute function refuse_proof_rewrite();
create trigger delivery_proof_line_is_final before update or delete on delivery_proof_line
    for each row execute function refuse_proof_rewrite();

-- A customer's link: the token's hash is kept, never the token. It ends with the delivery (plus a little, to read the outcome).
create table tracking_link (
    site_id    uuid not null,
    token_hash bytea not null primary key,
    job_id     uuid not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    foreign key (site_id, job_id) references delivery_job (site_id, id)
);
create index tracking_link_by_job on tracking_link (site_id, job_id);

-- Each vehicle's newest position, one hot row. The track is telemetry (`vehicle_position`).
create table vehicle_now (
    site_id    uuid not null,
    vehicle_id uuid not null,
    at         timestamptz not null,
    lat        double precision not null,
    lon        double precision not null,
    speed_kmh  real,
    course_deg real,
    presence   jsonb not null default '{}',   -- which fences it is in, as routing.geofence keeps it, for the route it is on
    primary key (site_id, vehicle_id),
    foreign key (site_id, vehicle_id) references delivery_vehicle (site_id, id)
);

-- What happened on the road, in order: released, loaded, departed, arrived, left, delivered, late, moved by hand ...
create table delivery_event (
    site_id  uuid not null references site (id),
    id       uuid not null,
    route_id uuid,
    job_id   uuid,
    at       timestamptz not null,
    actor    text not null,
    what     text not null,
    detail   text not null,
    evidence jsonb not null default '{}',
    primary key (site_id, id)
);
create index delivery_event_by_route on delivery_event (site_id, route_id, id);
create index delivery_event_by_job on delivery_event (site_id, job_id, id);

grant usage on sequence delivery_job_number_seq, delivery_route_number_seq to stowage_app;
grant select, insert, update on depot, delivery_vehicle, vehicle_shift, delivery_job, delivery_plan, delivery_route, vehicle_now, aboard to stowage_app;
-- A told link is taken out of the outbox once it has ended.
grant update (data) on webhook_event to stowage_app;
grant select, insert, update, delete on delivery_stop, delivery_job_carton, tracking_link to stowage_app;
grant select, insert on delivery_proof, delivery_proof_line, delivery_event to stowage_app;

create trigger audit_depot after insert or update or delete on depot for each row execute function audit_change('id');
create trigger audit_delivery_vehicle after insert or update or delete on delivery_vehicle for each row execute function audit_change('id');
create trigger audit_vehicle_shift after insert or update or delete on vehicle_shift for each row execute function audit_change('id');
