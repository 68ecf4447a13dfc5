-- Label printers and the labels that were printed.

create table printer (
    id         uuid primary key,
    site_id    uuid not null references site (id),
    code       text not null constraint printer_code_shape check (code ~ '^[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}$'),
    kind       text not null constraint printer_kind_known check (kind in ('folder', 'raw_tcp')),
    target     text not null,           -- an existing folder, or host:port (9100)
    is_default boolean not null default false,
    active     boolean not null default true,
    created_at timestamptz not null default now(),
    version    integer not null default 1,
    constraint printer_code_unique unique (site_id, code)
);
create unique index printer_default_once on printer (site_id) where is_default and active;
create trigger audit_printer after insert or update or delete on printer for each row execute function audit_change('id');

create table label (
    id         uuid primary key,
    site_id    uuid not null references site (id),
    kind       text not null constraint label_kind_known check (kind in ('sscc', 'item', 'location', 'packing_list')),
    subject_id uuid not null,
    title      text not null,
    zpl        text not null,
    printer_id uuid references printer (id),   -- null: no printer, the label is fetched
    copies     integer not null default 1 constraint label_copies_range check (copies between 1 and 100),
    state      text not null default 'waiting' constraint label_state_known check (state in ('waiting', 'printed', 'failed', 'no_printer')),
    problem    text,
    printed    integer not null default 0,      -- how often
    printed_at timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    created_by text not null
);
create index label_by_site on label (site_id, id);
create index label_by_subject on label (subject_id);

grant select, insert, update on printer, label to stowage_app;
