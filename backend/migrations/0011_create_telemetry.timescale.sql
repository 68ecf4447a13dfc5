-- Telemetry on TimescaleDB: hypertables, compression, continuous aggregates and retention.
-- Same names, same columns and same functions as the form for PostgreSQL alone.

create table observation (
    site_id        uuid not null,
    device_id      uuid not null,
    epc            text collate "C" not null,
    antenna        smallint not null,
    reads          integer not null,
    peak_rssi_cdbm integer,
    first_at       timestamptz not null,
    at             timestamptz not null
);
select create_hypertable('observation', 'at', chunk_time_interval => interval '1 day', create_default_indexes => false);
create index observation_by_epc on observation (site_id, epc, at);
create index observation_by_time on observation using brin (at) with (pages_per_range = 32);
alter table observation set (timescaledb.compress, timescaledb.compress_segmentby = 'site_id, device_id', timescaledb.compress_orderby = 'epc, at');
select add_compression_policy('observation', interval '2 days');
select add_retention_policy('observation', interval '30 days');

create table sensor_value (
    site_id   uuid not null,
    device_id uuid not null,
    channel   text collate "C" not null,
    at        timestamptz not null,
    value     numeric not null
);
select create_hypertable('sensor_value', 'at', chunk_time_interval => interval '7 days', create_default_indexes => false);
create index sensor_value_by_channel on sensor_value (site_id, device_id, channel, at);
alter table sensor_value set (timescaledb.compress, timescaledb.compress_segmentby = 'site_id, device_id, channel', timescaledb.compress_orderby = 'at');
select add_compression_policy('sensor_value', interval '14 days');
select add_retention_policy('sensor_value', interval '90 days');

create materialized view sensor_5min with (timescaledb.continuous, timescaledb.materialized_only = false) as
    select site_id, device_id, channel, time_bucket('5 minutes', at) as bucket, avg(value) as average, min(value) as minimum,
           max(value) as maximum, count(*) as samples
    from sensor_value group by site_id, device_id, channel, time_bucket('5 minutes', at) with no data;
create materialized view sensor_hourly with (timescaledb.continuous, timescaledb.materialized_only = false) as
    select site_id, device_id, channel, time_bucket('1 hour', at) as bucket, avg(value) as average, min(value) as minimum,
           max(value) as maximum, count(*) as samples
    from sensor_value group by site_id, device_id, channel, time_bucket('1 hour', at) with no data;
-- The window reaches back as far as an agent may keep events; only what changed in it is computed again.
select add_continuous_aggregate_policy('sensor_5min', start_offset => interval '31 days', end_offset => interval '10 minutes', schedule_interval => interval '5 minutes');
select add_continuous_aggregate_policy('sensor_hourly', start_offset => interval '31 days', end_offset => interval '2 hours', schedule_interval => interval '30 minutes');
select add_retention_policy('sensor_5min', interval '400 days');
select add_retention_policy('sensor_hourly', interval '1830 days');

-- The extension's own jobs do this work; the functions exist so that our jobs need not know which form is here.
create function telemetry_roll_up(at_most integer default 1000) returns integer language sql as $$ select 0 $$;
create function telemetry_maintain(now timestamptz, observation_days integer, value_days integer, five_min_days integer, hourly_days integer)
    returns void language sql as $$ select $$;

grant select, insert on observation, sensor_value to stowage_app;
grant select on sensor_5min, sensor_hourly to stowage_app;
