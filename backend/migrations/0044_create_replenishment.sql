-- When to order again, what was suggested and why, and whether sales may still recommend an item.

create table reorder_rule (
    site_id       uuid not null references site (id),
    item_id       uuid not null references item (id),
    reorder_point numeric(18, 6) not null constraint reorder_rule_point_not_negative check (reorder_point >= 0),
    target_level  numeric(18, 6) not null constraint reorder_rule_target_above_point check (target_level > reorder_point),
    safety_stock  numeric(18, 6) not null default 0 constraint reorder_rule_safety_within_point check (safety_stock >= 0 and safety_stock <= reorder_point),
    supplier_id   uuid references partner (id),      -- null: the preferred one, else the best offer
    approve_above numeric(18, 6) not null default 0, -- an order of a larger amount waits for a person
    active        boolean not null default true,
    recommendable boolean not null default true,     -- what CRM was last told
    version       integer not null default 1,
    primary key (site_id, item_id)
);
create trigger audit_reorder_rule after insert or update or delete on reorder_rule
    for each row execute function audit_change('item_id');

create table purchase_suggestion (
    site_id     uuid not null references site (id),
    id          uuid not null,
    item_id     uuid not null references item (id),
    supplier_id uuid references partner (id),        -- null: nobody sells it to us
    quantity    numeric(18, 6) not null constraint purchase_suggestion_quantity_positive check (quantity > 0),
    unit_price  numeric(18, 6),
    currency    text,
    wanted_on   date,
    reason      jsonb not null,
    state       text not null constraint purchase_suggestion_state_known
                check (state in ('proposed', 'approved', 'ordered', 'refused', 'received', 'rejected')),
    erp_number  text,
    words       text,
    created_at  timestamptz not null default clock_timestamp(),
    decided_at  timestamptz,
    decided_by  text,
    primary key (site_id, id)
);
-- one need, one order
create unique index purchase_suggestion_one_open on purchase_suggestion (site_id, item_id) where state in ('proposed', 'approved', 'refused');
create index purchase_suggestion_on_order on purchase_suggestion (site_id, item_id) where state in ('approved', 'ordered');

grant select, insert, update on reorder_rule, purchase_suggestion to stowage_app;
