-- Returns from customers: what came back, why, in which condition, and where it went.

create table customer_return (
    id          uuid primary key,
    site_id     uuid not null references site (id),
    number      text not null,
    order_id    uuid,                       -- of our sales order; null: nobody knows which
    customer_id uuid references partner (id),
    note        text not null default '',
    created_at  timestamptz not null,
    created_by  text not null,
    constraint customer_return_number_unique unique (site_id, number)
);
create index customer_return_by_order on customer_return (order_id) where order_id is not null;

create table customer_return_line (
    site_id          uuid not null references site (id),
    id               uuid not null,
    return_id        uuid not null references customer_return (id),
    line_no          integer not null,
    item_id          uuid not null references item (id),
    lot_id           uuid references lot (id),
    serial           text,
    quantity         numeric(18, 6) not null constraint customer_return_line_quantity_positive check (quantity > 0),
    reason           text not null,
    grade            text not null constraint customer_return_line_grade_known check (grade in ('as_new', 'opened', 'damaged', 'unusable')),
    status           text not null,
    place_id         uuid not null references place (id),
    movement_id      uuid not null,
    primary key (site_id, id),
    constraint customer_return_line_no_unique unique (return_id, line_no)
);

grant select, insert on customer_return, customer_return_line to stowage_app;
