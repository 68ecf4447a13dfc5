-- Where vehicles were, as their receivers told it: a hypertable like the other observations.
-- Keyed by the receiver's device; which vehicle carries it is dispatch's to know.
create table vehicle_position (
    site_id    uuid not null,
    device_id  uuid not null,
    at         timestamptz not null,
    lat        double precision not null,
    lon        double precision not null,
    speed_kmh  real,
    course_deg real,
    hdop       real,
    satellites smallint,
    fix        text collate "C" not null
);
select create_hypertable('vehicle_position', 'at', chunk_time_interval => interval '1 day', create_default_indexes => false);
create index vehicle_position_by_device on vehicle_position (site_id, device_id, at);
alter table vehicle_position set (timescaledb.compress, timescaledb.compress_segmentby = 'site_id, device_id', timescaledb.compress_orderby = 'at');
select add_compression_policy('vehicle_position', interval '2 days');
select add_retention_policy('vehicle_position', interval '90 days');

-- The extension's own jobs do this work; the function exists so that our job need not know which form is here.
create function telemetry_maintain_positions(now timestamptz, position_days integer) returns void language sql as $$ select $$;

grant select, insert on vehicle_position to stowage_app;
