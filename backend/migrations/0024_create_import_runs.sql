-- What was imported, when and by whom. The same file of opening stock is taken once.

create table import_run (
    id          uuid primary key,
    site_id     uuid not null references site (id),
    kind        text not null,
    file_name   text not null default '',
    digest      bytea not null,
    rows        integer not null,
    created     integer not null,
    updated     integer not null,
    imported_at timestamptz not null default clock_timestamp(),
    imported_by text not null
);
create unique index import_run_opening_stock_once on import_run (site_id, digest) where kind = 'opening-stock';
create index import_run_by_site on import_run (site_id, id);

grant select, insert on import_run to stowage_app;
