-- Master data: sites, places, items, partners, and the codes that name them.

create table site (
    id          uuid primary key,
    code        text not null constraint site_code_unique unique
                constraint site_code_shape check (code ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$'),
    name        text not null,
    time_zone   text not null default 'UTC',
    gs1_company_prefix text constraint site_gs1_prefix_shape check (gs1_company_prefix ~ '^[0-9]{6,12}$'),
    next_sscc   bigint not null default 1,
    created_at  timestamptz not null default now()
);

create table partner (
    id          uuid primary key,
    code        text not null constraint partner_code_unique unique,
    name        text not null,
    is_supplier boolean not null default false,
    is_customer boolean not null default false,
    gln         text,
    email       text,
    address     text,
    created_at  timestamptz not null default now(),
    version     integer not null default 1
);

create table item (
    id                uuid primary key,
    sku               text not null constraint item_sku_unique unique,
    name              text not null,
    name_i18n         jsonb not null default '{}',
    base_unit         text not null default 'each',
    quantity_decimals smallint not null default 0 constraint item_quantity_decimals_range check (quantity_decimals between 0 and 6),
    tracking          text not null default 'none' constraint item_tracking_known check (tracking in ('none', 'lot', 'serial')),
    has_expiry        boolean not null default false,
    storage_class     text not null default 'ambient'
                      constraint item_storage_class_known check (storage_class in ('ambient', 'chilled', 'frozen', 'hazard')),
    weight_g          numeric(14, 3) constraint item_weight_positive check (weight_g > 0),
    active            boolean not null default true,
    created_at        timestamptz not null default now(),
    version           integer not null default 1
);

-- A pack is a unit an item is handled in; a GTIN names one pack. `each` (units = 1) always exists.
create table item_pack (
    id        uuid primary key,
    item_id   uuid not null references item (id),
    name      text not null,
    units     numeric(18, 6) not null constraint item_pack_units_positive check (units > 0),
    gtin      text constraint item_pack_gtin_unique unique constraint item_pack_gtin_shape check (gtin ~ '^[0-9]{14}$'),
    weight_g  numeric(14, 3),
    constraint item_pack_name_unique unique (item_id, name)
);

create table supplier_item (
    supplier_id    uuid not null references partner (id),
    item_id        uuid not null references item (id),
    supplier_sku   text,
    unit_price     numeric(18, 6) not null constraint supplier_item_price_positive check (unit_price >= 0),
    currency       text not null default 'EUR',
    lead_time_d    integer not null default 7 constraint supplier_item_lead_time_range check (lead_time_d between 0 and 730),
    min_order_qty  numeric(18, 6) not null default 1 constraint supplier_item_min_order_positive check (min_order_qty > 0),
    pack_multiple  numeric(18, 6) not null default 1 constraint supplier_item_pack_multiple_positive check (pack_multiple > 0),
    preferred      boolean not null default false,
    primary key (supplier_id, item_id)
);

-- A place is anywhere stock can be. Virtual places are the other side of the double entry.
create table place (
    id            uuid primary key,
    site_id       uuid not null references site (id),
    parent_id     uuid references place (id),
    code          text not null constraint place_code_shape check (code ~ '^[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}$'),
    name          text not null default '',
    kind          text not null constraint place_kind_known check (kind in (
                      'building', 'zone', 'aisle', 'bin', 'dock_door', 'staging', 'pack_bench', 'vehicle', 'quarantine',
                      'supplier', 'customer', 'adjustment', 'production', 'in_transit', 'discrepancy')),
    is_physical   boolean not null generated always as (
                      kind not in ('supplier', 'customer', 'adjustment', 'production', 'in_transit', 'discrepancy')) stored,
    holds_stock   boolean not null default true,
    storage_class text not null default 'ambient'
                  constraint place_storage_class_known check (storage_class in ('ambient', 'chilled', 'frozen', 'hazard')),
    pick_sequence integer,
    max_units     numeric(18, 6) constraint place_max_units_positive check (max_units > 0),
    mixed_items   boolean not null default true,
    mixed_lots    boolean not null default true,
    active        boolean not null default true,
    erp_location  text,  -- the ERP's code of this place; where null, the nearest parent's counts
    x_m numeric(8, 2), y_m numeric(8, 2), width_m numeric(8, 2), depth_m numeric(8, 2),  -- on the floor plan
    created_at    timestamptz not null default now(),
    version       integer not null default 1,
    constraint place_code_unique unique (site_id, code)
);
create index place_parent on place (parent_id);

-- The ERP's location of a place: its own, else the nearest parent's.
create function place_erp_location(of_place uuid) returns text language sql stable as $$
    with recursive up as (
        select id, parent_id, erp_location, 0 as depth from place where id = of_place
        union all
        select p.id, p.parent_id, p.erp_location, up.depth + 1 from place p join up on p.id = up.parent_id
        where up.erp_location is null and up.depth < 16)
    select erp_location from up where erp_location is not null order by depth limit 1
$$;

create table lot (
    id         uuid primary key,
    item_id    uuid not null references item (id),
    code       text not null,
    expires_on date,
    created_at timestamptz not null default now(),
    constraint lot_code_unique unique (item_id, code)
);

-- Anything with an SSCC or a code of its own that contains stock: pallet, case, carton, tote.
create table license_plate (
    id         uuid primary key,
    site_id    uuid not null references site (id),
    code       text not null,           -- SSCC (18 digits) or the site's own code
    kind       text not null constraint license_plate_kind_known check (kind in ('pallet', 'case', 'carton', 'tote')),
    parent_id  uuid references license_plate (id),
    place_id   uuid references place (id),
    state      text not null default 'open' constraint license_plate_state_known check (state in ('expected', 'open', 'closed', 'shipped', 'gone')),
    weight_g   numeric(14, 3),
    created_at timestamptz not null default now(),
    constraint license_plate_code_unique unique (site_id, code)
);
create index license_plate_place on license_plate (place_id);
create index license_plate_parent on license_plate (parent_id);

-- What an EPC stands for: one pack of an item (with lot and serial), or a license plate.
create table tag (
    id               uuid primary key,
    epc              text not null constraint tag_epc_shape check (epc ~ '^[0-9A-F]{4,128}$'),
    item_id          uuid references item (id),
    pack_id          uuid references item_pack (id),
    lot_id           uuid references lot (id),
    serial           text,
    license_plate_id uuid references license_plate (id),
    state            text not null default 'active' constraint tag_state_known check (state in ('active', 'replaced', 'decommissioned')),
    replaced_by      uuid references tag (id),
    commissioned_at  timestamptz not null default now(),
    commissioned_by  text not null default 'system',
    constraint tag_names_one_thing check ((item_id is null) <> (license_plate_id is null))
);
create unique index tag_epc_active_unique on tag (epc) where state = 'active';
create index tag_license_plate on tag (license_plate_id);
create index tag_item_serial on tag (item_id, serial);

-- The keys by which outside systems know our things.
create table external_key (
    system    text not null,             -- erp, crm, supplier:CODE ...
    kind      text not null,             -- item, partner, place, sales_order, purchase_order ...
    our_id    uuid not null,
    their_key text not null,
    created_at timestamptz not null default now(),
    primary key (system, kind, our_id),
    constraint external_key_their_key_unique unique (system, kind, their_key)
);

grant select, insert, update on site, partner, item, item_pack, supplier_item, place, lot, license_plate, tag to stowage_app;
grant select, insert, update, delete on external_key to stowage_app;
