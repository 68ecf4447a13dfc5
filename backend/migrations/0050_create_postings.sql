-- The ERP outbox: one posting per movement that the ERP keeps, and the documents they are sent in.

-- frozen -> sending -> posted; sending -> waiting (later again) -> sending; sending -> parked (refused, a person must look).
-- From `frozen` on, members and reference never change, so that a lost answer can be looked up by the reference.
create table posting_group (
    site_id       uuid not null references site (id),
    id            uuid not null,
    seq           bigint generated always as identity,
    reference     text not null constraint posting_group_reference_unique unique
                  constraint posting_group_reference_short check (length(reference) <= 35),
    kind          text not null constraint posting_group_kind_known check (kind in (
                      'receipt', 'shipment', 'internal', 'count', 'customer_return', 'supplier_return')),
    state         text not null default 'frozen' constraint posting_group_state_known check (state in (
                      'frozen', 'sending', 'waiting', 'posted', 'parked')),
    occurred_on   date not null,
    erp_order     text,          -- the ERP's id of the purchase or sale that this fulfils
    erp_partner   text,          -- the ERP's code of supplier or customer
    cause_kind    text not null,
    cause_id      uuid,
    attempts      integer not null default 0,
    failures      integer not null default 0,   -- in a row, of this document, while the ERP answered
    failing_since timestamptz,
    next_try_at   timestamptz not null default now(),
    problem       text,          -- kind of the last failure: unreachable, busy, refused, unknown_item, closed_period ...
    words         text,          -- the ERP's own words
    erp_id        text,
    erp_number    text,
    created_at    timestamptz not null default clock_timestamp(),
    settled_at    timestamptz,
    primary key (site_id, id),
    constraint posting_group_posted_has_time check ((state = 'posted') = (settled_at is not null))
);
create index posting_group_by_seq on posting_group (site_id, seq);
create index posting_group_unsettled on posting_group (next_try_at) where state in ('frozen', 'sending', 'waiting');

-- Its id is the movement's id. waiting -> sending (in a group) -> posted | parked; a retry brings parked back to waiting.
create table posting (
    site_id     uuid not null,
    id          uuid not null,
    seq         bigint not null,
    item_id     uuid not null references item (id),
    kind        text constraint posting_kind_known check (kind in (
                    'receipt', 'shipment', 'internal', 'count', 'customer_return', 'supplier_return')),
    state       text not null default 'waiting' constraint posting_state_known check (state in ('waiting', 'sending', 'posted', 'parked')),
    group_id    uuid,
    problem     text,
    words       text,
    erp_date    date,            -- set by a retry that asks for another day than the day it happened
    partner_id  uuid references partner (id),  -- set by a retry that says whose it is, where nothing else does
    recorded_at timestamptz not null default clock_timestamp(),
    settled_at  timestamptz,
    primary key (site_id, id),
    foreign key (site_id, id) references movement (site_id, id),
    foreign key (site_id, group_id) references posting_group (site_id, id),
    constraint posting_in_a_group_when_sent check (case state when 'waiting' then group_id is null when 'sending' then group_id is not null else true end)
);
create index posting_by_seq on posting (site_id, seq);
create index posting_by_item on posting (site_id, item_id, seq);
create index posting_by_group on posting (group_id) where group_id is not null;
create index posting_to_send on posting (seq) where state = 'waiting';
create index posting_in_the_way on posting (item_id, seq) where state in ('sending', 'parked');

-- What a movement is to the ERP follows from the two ends. Null: there is no document for it; it is parked at once.
create function posting_kind(from_kind text, to_kind text) returns text language sql immutable as $$
    select case
        when from_kind = 'supplier' and to_kind not in ('supplier', 'customer', 'adjustment', 'discrepancy', 'production') then 'receipt'
        when to_kind = 'supplier' and from_kind not in ('supplier', 'customer', 'adjustment', 'discrepancy', 'production') then 'supplier_return'
        when to_kind = 'customer' and from_kind not in ('supplier', 'customer', 'adjustment', 'discrepancy', 'production') then 'shipment'
        when from_kind = 'customer' and to_kind not in ('supplier', 'customer', 'adjustment', 'discrepancy', 'production') then 'customer_return'
        when (from_kind in ('adjustment', 'discrepancy')) <> (to_kind in ('adjustment', 'discrepancy'))
             and from_kind not in ('supplier', 'customer', 'production') and to_kind not in ('supplier', 'customer', 'production') then 'count'
        when from_kind not in ('supplier', 'customer', 'adjustment', 'discrepancy', 'production')
             and to_kind not in ('supplier', 'customer', 'adjustment', 'discrepancy', 'production') then 'internal'
    end
$$;

create function write_postings() returns trigger language plpgsql as $$
begin
    insert into posting (site_id, id, seq, item_id, kind, state, problem, words, settled_at)
    select m.site_id, m.id, m.seq, m.item_id, k.kind,
           case when imported then 'posted' when k.kind is null then 'parked' else 'waiting' end,
           case when k.kind is null and not imported then 'refused' end,
           case when imported then 'Imported from the ERP: it knows already.'
                when k.kind is null then format('There is no ERP document for a move from %s to %s.', f.kind, t.kind) end,
           case when imported then clock_timestamp() end
    from added m
    join place f on f.id = m.from_place_id
    join place t on t.id = m.to_place_id
    cross join lateral (select posting_kind(f.kind, t.kind) as kind, m.evidence ? 'erp_import' as imported) k
    where m.posting = 'to_post';
    return null;
end $$;
create trigger movement_writes_postings after insert on movement
    referencing new table as added for each statement execute function write_postings();

-- How the ERP is, in one row: written by the program that talks to it, read by everybody.
create table erp_connection (
    one         boolean primary key default true constraint erp_connection_is_one_row check (one),
    state       text not null default 'unknown' constraint erp_connection_state_known check (state in (
                    'unknown', 'off', 'reachable', 'unreachable', 'busy', 'login')),
    since       timestamptz not null default now(),
    identity    text,
    words       text,
    failures    integer not null default 0,
    next_try_at timestamptz not null default now(),
    last_ok_at  timestamptz
);
insert into erp_connection default values;

grant select, insert, update on posting, erp_connection to stowage_app;
grant select, insert, update, delete on posting_group to stowage_app;
