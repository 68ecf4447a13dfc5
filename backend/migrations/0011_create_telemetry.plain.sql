-- Telemetry on PostgreSQL alone: partitions by day made ahead by a job, roll-ups kept by a job and shown live.
-- Same names, same columns and same functions as the TimescaleDB form.

create table observation (
    site_id        uuid not null,
    device_id      uuid not null,
    epc            text collate "C" not null,
    antenna        smallint not null,
    reads          integer not null,
    peak_rssi_cdbm integer,
    first_at       timestamptz not null,
    at             timestamptz not null
) partition by range (at);
create index observation_by_epc on observation (site_id, epc, at);
create index observation_by_time on observation using brin (at) with (pages_per_range = 32);

create table sensor_value (
    site_id   uuid not null,
    device_id uuid not null,
    channel   text collate "C" not null,
    at        timestamptz not null,
    value     numeric not null
) partition by range (at);
create index sensor_value_by_channel on sensor_value (site_id, device_id, channel, at);

create table observation_other partition of observation default;
create table sensor_value_other partition of sensor_value default;

-- A partition for each of `days`, made where it is missing; what already came for that day moves in.
create function telemetry_make_partitions(of_table text, from_day date, to_day date) returns integer language plpgsql as $$
declare
    day date;
    name text;
    made integer := 0;
begin
    for day in select generate_series(from_day, to_day, interval '1 day')::date loop
        name := format('%s_%s', of_table, to_char(day, 'YYYYMMDD'));
        continue when to_regclass(format('public.%I', name)) is not null;
        execute format('create table public.%I (like public.%I including defaults)', name, of_table);
        execute format('with moved as (delete from public.%I where at >= %L and at < %L returning *) insert into public.%I select * from moved',
                       of_table || '_other', day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC', name);
        execute format('alter table public.%I attach partition public.%I for values from (%L) to (%L)',
                       of_table, name, day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
        made := made + 1;
    end loop;
    return made;
end $$;

create function telemetry_drop_partitions(of_table text, before_day date) returns integer language plpgsql as $$
declare
    name text;
    dropped integer := 0;
begin
    for name in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = format('public.%I', of_table)::regclass and c.relname ~ '_[0-9]{8}$'
          and to_date(right(c.relname, 8), 'YYYYMMDD') < before_day
    loop
        execute format('drop table public.%I', name);
        dropped := dropped + 1;
    end loop;
    execute format('delete from public.%I where at < %L', of_table || '_other', before_day::timestamp at time zone 'UTC');
    return dropped;
end $$;

-- Roll-ups. An hour of a device with fresh values is `dirty`: the views compute it from the values until the job has kept it.
create table sensor_dirty (
    site_id   uuid not null,
    device_id uuid not null,
    hour      timestamptz not null,
    touched   timestamptz not null default clock_timestamp(),
    primary key (site_id, device_id, hour)
);
create table sensor_5min_kept (
    site_id uuid not null, device_id uuid not null, channel text collate "C" not null, bucket timestamptz not null,
    average numeric not null, minimum numeric not null, maximum numeric not null, samples bigint not null,
    primary key (site_id, device_id, channel, bucket)
);
create index sensor_5min_kept_age on sensor_5min_kept using brin (bucket);
create table sensor_hourly_kept (like sensor_5min_kept including all);

create function telemetry_mark_dirty() returns trigger language plpgsql security definer set search_path from current as $$
begin
    insert into sensor_dirty (site_id, device_id, hour)
    select distinct site_id, device_id, date_bin('1 hour', at, '2000-01-01 00:00+00') from fresh order by 1, 2, 3
    on conflict (site_id, device_id, hour) do update set touched = excluded.touched;
    return null;
end $$;
create trigger sensor_value_marks_dirty after insert on sensor_value
    referencing new table as fresh for each statement execute function telemetry_mark_dirty();

create view sensor_5min as
    select k.site_id, k.device_id, k.channel, k.bucket, k.average, k.minimum, k.maximum, k.samples from sensor_5min_kept k
    where not exists (select 1 from sensor_dirty d where d.site_id = k.site_id and d.device_id = k.device_id
                      and d.hour = date_bin('1 hour', k.bucket, '2000-01-01 00:00+00'))
    union all
    select v.site_id, v.device_id, v.channel, date_bin('5 minutes', v.at, '2000-01-01 00:00+00'), avg(v.value), min(v.value), max(v.value), count(*)
    from sensor_dirty d join sensor_value v on v.site_id = d.site_id and v.device_id = d.device_id and v.at >= d.hour and v.at < d.hour + interval '1 hour'
    group by 1, 2, 3, 4;

create view sensor_hourly as
    select k.site_id, k.device_id, k.channel, k.bucket, k.average, k.minimum, k.maximum, k.samples from sensor_hourly_kept k
    where not exists (select 1 from sensor_dirty d where d.site_id = k.site_id and d.device_id = k.device_id and d.hour = k.bucket)
    union all
    select v.site_id, v.device_id, v.channel, d.hour, avg(v.value), min(v.value), max(v.value), count(*)
    from sensor_dirty d join sensor_value v on v.site_id = d.site_id and v.device_id = d.device_id and v.at >= d.hour and v.at < d.hour + interval '1 hour'
    group by 1, 2, 3, 4;

-- Keeps the roll-ups of hours that have values not rolled up yet. Deleting the mark waits for whoever is writing to that hour.
create function telemetry_roll_up(at_most integer default 1000) returns integer
    language plpgsql security definer set search_path from current as $$
declare
    work record;
    done integer := 0;
begin
    for work in select site_id, device_id, hour from sensor_dirty order by hour, site_id, device_id limit at_most for update skip locked loop
        delete from sensor_dirty d where d.site_id = work.site_id and d.device_id = work.device_id and d.hour = work.hour;
        insert into sensor_5min_kept
            select v.site_id, v.device_id, v.channel, date_bin('5 minutes', v.at, '2000-01-01 00:00+00'), avg(v.value), min(v.value), max(v.value), count(*)
            from sensor_value v where v.site_id = work.site_id and v.device_id = work.device_id
                and v.at >= work.hour and v.at < work.hour + interval '1 hour' group by 1, 2, 3, 4
            on conflict (site_id, device_id, channel, bucket) do update
                set average = excluded.average, minimum = excluded.minimum, maximum = excluded.maximum, samples = excluded.samples;
        insert into sensor_hourly_kept
            select v.site_id, v.device_id, v.channel, work.hour, avg(v.value), min(v.value), max(v.value), count(*)
            from sensor_value v where v.site_id = work.site_id and v.device_id = work.device_id
                and v.at >= work.hour and v.at < work.hour + interval '1 hour' group by 1, 2, 3, 4
            on conflict (site_id, device_id, channel, bucket) do update
                set average = excluded.average, minimum = excluded.minimum, maximum = excluded.maximum, samples = excluded.samples;
        done := done + 1;
    end loop;
    return done;
end $$;

-- Called by a job: partitions ahead, and what is old goes.
create function telemetry_maintain(now timestamptz, observation_days integer, value_days integer, five_min_days integer, hourly_days integer)
    returns void language plpgsql security definer set search_path from current as $$
declare
    today date := (now at time zone 'UTC')::date;
begin
    perform telemetry_make_partitions('observation', today - 1, today + 7);
    perform telemetry_make_partitions('sensor_value', today - 1, today + 7);
    perform telemetry_drop_partitions('observation', today - observation_days);
    perform telemetry_drop_partitions('sensor_value', today - value_days);
    delete from sensor_5min_kept where bucket < now - make_interval(days => five_min_days);
    delete from sensor_hourly_kept where bucket < now - make_interval(days => hourly_days);
end $$;

select telemetry_make_partitions('observation', (now() at time zone 'UTC')::date - 1, (now() at time zone 'UTC')::date + 7);
select telemetry_make_partitions('sensor_value', (now() at time zone 'UTC')::date - 1, (now() at time zone 'UTC')::date + 7);

revoke execute on function telemetry_make_partitions, telemetry_drop_partitions, telemetry_maintain, telemetry_roll_up, telemetry_mark_dirty from public;
grant execute on function telemetry_maintain, telemetry_roll_up to stowage_app;
grant select, insert on observation, sensor_value to stowage_app;
grant select on sensor_5min, sensor_hourly to stowage_app;
