-- What each person did last on a handheld, so that the last step can be taken back.

create table handheld_step (
    site_id   uuid not null references site (id),
    id        uuid not null,
    actor     text not null,
    kind      text not null,
    label     text not null,
    undo      jsonb not null,
    done_at   timestamptz not null default clock_timestamp(),
    undone_at timestamptz,
    primary key (site_id, id)
);
create index handheld_step_last on handheld_step (site_id, actor, id desc);

grant select, insert, update, delete on handheld_step to stowage_app;
