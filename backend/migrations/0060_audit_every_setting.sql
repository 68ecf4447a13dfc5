-- The trail covers every setting: API tokens and outside keys too, and a secret that changed is an entry without the secret.

create or replace function audit_change() returns trigger language plpgsql security definer set search_path from current as $$
declare
    counters constant text[] := array['next_sscc', 'last_used_at'];
    secrets  constant text[] := array['password_hash', 'secret_hash', 'secret', 'enrol_code_hash'];
    old_row  jsonb := case when tg_op = 'INSERT' then null else to_jsonb(old) - counters end;
    new_row  jsonb := case when tg_op = 'DELETE' then null else to_jsonb(new) - counters end;
    changed  text[];
begin
    if old_row is distinct from new_row then
        select array_agg(s order by s) into changed from unnest(secrets) s
        where tg_op = 'UPDATE' and old_row -> s is distinct from new_row -> s;
        insert into audit_entry (actor, action, table_name, subject, before, after)
        values (coalesce(nullif(current_setting('stowage.actor', true), ''), 'system'), lower(tg_op), tg_table_name,
                coalesce(new_row, old_row) ->> tg_argv[0], old_row - secrets,
                case when changed is null then new_row - secrets
                     else (new_row - secrets) || jsonb_build_object('changed_secrets', changed) end);
    end if;
    return null;
end $$;

-- Sessions are no settings: only the tokens of the API are kept in the trail.
create trigger audit_access_token after insert or update on access_token for each row when (new.kind = 'api') execute function audit_change('id');
create trigger audit_access_token_gone after delete on access_token for each row when (old.kind = 'api') execute function audit_change('id');
create trigger audit_external_key after insert or update or delete on external_key for each row execute function audit_change('our_id');
create trigger audit_lot after update or delete on lot for each row execute function audit_change('id');
