-- Delivery notices (ASN), receipts, and what the portals saw of them.

-- Where a tag's meaning came from: we put it on ourselves, a delivery notice named it, its bits say it (SGTIN of a
-- known item), or a person claimed an unknown one.
alter table tag add column origin text not null default 'commissioned'
    constraint tag_origin_known check (origin in ('commissioned', 'expected', 'decoded', 'claimed'));

create table document_number (
    site_id uuid not null references site (id),
    kind    text not null,
    last    bigint not null,
    primary key (site_id, kind)
);

create table asn (
    id           uuid primary key,
    site_id      uuid not null references site (id),
    number       text not null,
    supplier_id  uuid references partner (id),
    dock_door_id uuid references place (id),      -- the appointment, if there is one
    expected_at  timestamptz,
    state        text not null default 'expected' constraint asn_state_known check (state in ('expected', 'arriving', 'received', 'cancelled')),
    source       text not null default 'api' constraint asn_source_known check (source in ('api', 'csv', 'erp')),
    source_ref   text,                            -- the purchase order at the source
    created_at   timestamptz not null default clock_timestamp(),
    created_by   text not null,
    constraint asn_number_unique unique (site_id, number)
);
create index asn_open on asn (site_id, expected_at) where state in ('expected', 'arriving');

create table asn_line (
    site_id  uuid not null references site (id),
    id       uuid not null,
    asn_id   uuid not null references asn (id),
    line_no  integer not null,
    item_id  uuid not null references item (id),
    lot_id   uuid references lot (id),            -- null: any lot
    quantity numeric(18, 6) not null constraint asn_line_quantity_positive check (quantity > 0),
    primary key (site_id, id),
    constraint asn_line_no_unique unique (asn_id, line_no),
    constraint asn_line_item_unique unique nulls not distinct (asn_id, item_id, lot_id)
);

-- The license plates that a notice names. `received_at`: its SSCC was read or scanned, so its contents are here.
create table asn_plate (
    license_plate_id uuid primary key references license_plate (id),
    site_id          uuid not null references site (id),
    asn_id           uuid not null references asn (id),
    received_at      timestamptz
);
create index asn_plate_by_asn on asn_plate (asn_id);

create table asn_content (
    site_id          uuid not null references site (id),
    id               uuid not null,
    asn_id           uuid not null references asn (id),
    license_plate_id uuid not null references license_plate (id),
    item_id          uuid not null references item (id),
    lot_id           uuid references lot (id),
    serial           text,
    quantity         numeric(18, 6) not null constraint asn_content_quantity_positive check (quantity > 0),
    primary key (site_id, id),
    constraint asn_content_unique unique nulls not distinct (license_plate_id, item_id, lot_id, serial)
);
create index asn_content_by_asn on asn_content (asn_id);

-- The tags of single packs that a notice names, and the license plate each is inside of.
create table asn_tag (
    tag_id           uuid primary key references tag (id),
    site_id          uuid not null references site (id),
    asn_id           uuid not null references asn (id),
    license_plate_id uuid references license_plate (id)
);
create index asn_tag_by_asn on asn_tag (asn_id);

create table receipt (
    id               uuid primary key,
    site_id          uuid not null references site (id),
    number           text not null,
    asn_id           uuid references asn (id),
    supplier_id      uuid references partner (id),
    dock_door_id     uuid not null references place (id),
    origin           text not null constraint receipt_origin_known check (origin in ('portal', 'handheld')),
    state            text not null default 'open' constraint receipt_state_known check (state in ('open', 'closed')),
    opened_at        timestamptz not null,
    opened_by        text not null,
    last_activity_at timestamptz not null,
    closed_at        timestamptz,
    closed_by        text,
    constraint receipt_number_unique unique (site_id, number),
    constraint receipt_closed_has_time check ((state = 'closed') = (closed_at is not null))
);
create unique index receipt_open_once_per_asn on receipt (asn_id) where state = 'open';
create index receipt_open_at_door on receipt (dock_door_id) where state = 'open';
create index receipt_by_site on receipt (site_id, opened_at desc);

-- What this receipt expected (a copy, so that a closed receipt keeps its numbers) and what came unexpected.
create table receipt_line (
    site_id      uuid not null references site (id),
    id           uuid not null,
    receipt_id   uuid not null references receipt (id),
    line_no      integer not null,
    asn_line_id  uuid,
    item_id      uuid not null references item (id),
    lot_id       uuid references lot (id),
    expected     numeric(18, 6) not null default 0 constraint receipt_line_expected_not_negative check (expected >= 0),
    short_reason text,
    over_reason  text,
    primary key (site_id, id),
    constraint receipt_line_unique unique nulls not distinct (receipt_id, item_id, lot_id)
);

-- One counted quantity, with the movement that booked it. Never deleted: taken back is `reversed_at`.
create table receipt_entry (
    site_id          uuid not null references site (id),
    id               uuid not null,
    receipt_id       uuid not null references receipt (id),
    receipt_line_id  uuid not null,
    item_id          uuid not null references item (id),
    lot_id           uuid references lot (id),
    serial           text,                        -- where the item is kept by serial number
    unit_serial      text,                        -- the serial in tag or barcode, kept or not: the same unit counts once
    quantity         numeric(18, 6) not null constraint receipt_entry_quantity_positive check (quantity > 0),
    license_plate_id uuid references license_plate (id),
    status           text not null,
    reason           text,
    epc              text,                        -- the single tag that was counted
    floating         boolean not null default false, -- counted by a single tag that nobody tied to a license plate yet
    lot_said         boolean not null default false, -- a person said the lot; it is not asked again
    source           text not null constraint receipt_entry_source_known check (source in ('portal', 'handheld', 'claim')),
    movement_id      uuid,
    actor            text not null,
    occurred_at      timestamptz not null,
    recorded_at      timestamptz not null default clock_timestamp(),
    reversed_at      timestamptz,
    primary key (site_id, id),
    foreign key (site_id, receipt_line_id) references receipt_line (site_id, id)
);
create index receipt_entry_by_receipt on receipt_entry (receipt_id);
create index receipt_entry_by_plate on receipt_entry (license_plate_id) where license_plate_id is not null;
create index receipt_entry_by_unit on receipt_entry (item_id, unit_serial) where unit_serial is not null;
create unique index receipt_entry_tag_counts_once on receipt_entry (site_id, epc) where epc is not null and reversed_at is null;

-- The evidence: each tag of each passage at a receiving door, and what was made of it.
create table passage_tag (
    site_id        uuid not null references site (id),
    portal         text not null,
    passage_id     text not null,
    epc            text not null,
    door_id        uuid not null references place (id),
    direction      text not null,
    outcome        text not null,
    receipt_id     uuid references receipt (id),
    reads          integer not null,
    confidence     real not null,
    peak_rssi_cdbm integer,
    first_at       timestamptz,
    last_at        timestamptz,
    item_id        uuid,              -- of a tag that was judged to be inside a received license plate: what it took
    quantity       numeric(18, 6),    -- of the room there
    recorded_at    timestamptz not null default clock_timestamp(),
    primary key (site_id, portal, passage_id, epc)
);
create index passage_tag_by_epc on passage_tag (site_id, epc, recorded_at desc);
create index passage_tag_by_receipt on passage_tag (receipt_id) where receipt_id is not null;

-- An EPC that nobody registered, with its reads, until a person says what it is.
create table unknown_tag (
    id            uuid primary key,
    site_id       uuid not null references site (id),
    epc           text not null,
    meaning       text not null,      -- what its bits say, in words
    reason        text not null,      -- why it could not be counted
    place_id      uuid references place (id),
    receipt_id    uuid references receipt (id),
    reads         bigint not null,
    passages      integer not null default 1,
    first_seen_at timestamptz not null,
    last_seen_at  timestamptz not null,
    state         text not null default 'open' constraint unknown_tag_state_known check (state in ('open', 'claimed', 'dismissed')),
    settled_at    timestamptz,
    settled_by    text,
    tag_id        uuid references tag (id)
);
create unique index unknown_tag_open_once on unknown_tag (site_id, epc) where state = 'open';
create index unknown_tag_by_receipt on unknown_tag (receipt_id) where receipt_id is not null;

grant select, insert, update on document_number, asn, receipt, receipt_line, receipt_entry, passage_tag, unknown_tag to stowage_app;
grant select, insert, update, delete on asn_line, asn_content, asn_tag, asn_plate to stowage_app;
