-- Who may do what, what was already done (idempotency), and who changed which setting.

create table app_user (
    id            uuid primary key,
    username      text not null constraint app_user_username_unique unique
                  constraint app_user_username_shape check (username ~ '^[a-z0-9][a-z0-9_.\-]{0,62}$'),
    name          text not null,
    password_hash text not null,
    roles         text[] not null constraint app_user_roles_known check (
                      roles <@ array['worker', 'lead', 'dispatcher', 'driver', 'integrator', 'admin']),
    site_id       uuid references site (id),   -- null: every site
    language      text not null default 'en',
    active        boolean not null default true,
    created_at    timestamptz not null default now(),
    version       integer not null default 1
);

-- Sessions and API tokens; only the hash of the secret is kept.
create table access_token (
    id           uuid primary key,
    kind         text not null constraint access_token_kind_known check (kind in ('session', 'api')),
    name         text not null default '',
    user_id      uuid not null references app_user (id),
    roles        text[] not null,
    secret_hash  bytea not null constraint access_token_secret_unique unique,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);
create index access_token_user on access_token (user_id);

create table failed_login (
    username text not null,
    at       timestamptz not null default clock_timestamp()
);
create index failed_login_recent on failed_login (username, at);

create table idempotency_key (
    principal   uuid not null,
    route       text not null,
    key         text not null,
    body_hash   bytea not null,
    status      integer,
    response    bytea,
    media_type  text,
    created_at  timestamptz not null default clock_timestamp(),
    expires_at  timestamptz not null,
    primary key (principal, route, key)
);
create index idempotency_key_expiry on idempotency_key (expires_at);

create table audit_entry (
    id          bigint generated always as identity primary key,
    at          timestamptz not null default clock_timestamp(),
    actor       text not null,
    action      text not null,
    table_name  text not null,
    subject     text not null,
    before      jsonb,
    after       jsonb
);
create index audit_entry_subject on audit_entry (table_name, subject);
create trigger audit_is_append_only before update or delete on audit_entry
    for each row execute function refuse_ledger_rewrite();

-- Attach to a settings table: `create trigger audit_x after insert or update or delete on x for each row execute function audit_change('id')`.
-- The actor is what the transaction said in `stowage.actor`. Secrets and counters never enter the trail.
create function audit_change() returns trigger language plpgsql security definer set search_path from current as $$
declare
    hidden constant text[] := array['password_hash', 'secret_hash', 'secret', 'enrol_code_hash', 'next_sscc', 'last_used_at'];
    old_row jsonb := case when tg_op = 'INSERT' then null else to_jsonb(old) - hidden end;
    new_row jsonb := case when tg_op = 'DELETE' then null else to_jsonb(new) - hidden end;
begin
    if old_row is distinct from new_row or to_jsonb(old) ->> 'password_hash' is distinct from to_jsonb(new) ->> 'password_hash' then
        insert into audit_entry (actor, action, table_name, subject, before, after)
        values (coalesce(nullif(current_setting('stowage.actor', true), ''), 'system'), lower(tg_op), tg_table_name,
                coalesce(new_row, old_row) ->> tg_argv[0], old_row, new_row);
    end if;
    return null;
end $$;

create trigger audit_site after insert or update or delete on site for each row execute function audit_change('id');
create trigger audit_partner after insert or update or delete on partner for each row execute function audit_change('id');
create trigger audit_item after insert or update or delete on item for each row execute function audit_change('id');
create trigger audit_item_pack after insert or update or delete on item_pack for each row execute function audit_change('item_id');
create trigger audit_supplier_item after insert or update or delete on supplier_item for each row execute function audit_change('item_id');
create trigger audit_place after insert or update or delete on place for each row execute function audit_change('id');
create trigger audit_app_user after insert or update or delete on app_user for each row execute function audit_change('id');

grant select, insert, update on app_user, access_token to stowage_app;
grant select, insert, delete on failed_login to stowage_app;
grant select, insert, update, delete on idempotency_key to stowage_app;
grant select on audit_entry to stowage_app;
