-- Where vehicles were, as their receivers told it: telemetry, partitioned by day like the other observations.
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
) partition by range (at);
create index vehicle_position_by_device on vehicle_position (site_id, device_id, at);
create table vehicle_position_other partition of vehicle_position default;

-- Called by a job: partitions ahead, and what is old goes.
create function telemetry_maintain_positions(now timestamptz, position_days integer)
    returns void language plpgsql security definer set search_path from current as $$
declare
    today date := (now at time zone 'UTC')::date;
begin
    perform telemetry_make_partitions('vehicle_position', today - 1, today + 7);
    perform telemetry_drop_partitions('vehicle_position', today - position_days);
end $$;
select telemetry_make_partitions('vehicle_position', (now() at time zone 'UTC')::date - 1, (now() at time zone 'UTC')::date + 7);

revoke execute on function telemetry_maintain_positions from public;
grant execute on function telemetry_maintain_positions to stowage_app;
grant select, insert on vehicle_position to stowage_app;
