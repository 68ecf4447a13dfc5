-- What people told a device to do, and whether it went out. An agent answers by what its device does, not with a receipt.

create table device_command (
    site_id        uuid not null references site (id),
    id             uuid not null,
    device_id      uuid not null references device (id),
    command        text not null constraint device_command_known check (
                       command in ('restart_device', 'zero_scale', 'tare_scale', 'report_status')),
    asked_by       text not null,
    asked_at       timestamptz not null default clock_timestamp(),
    expires_at     timestamptz not null,
    state          text not null default 'waiting' constraint device_command_state_known check (state in ('waiting', 'sent', 'expired')),
    settled_at     timestamptz,
    correlation_id text not null,
    primary key (site_id, id)
);
create index device_command_by_device on device_command (device_id, id);

grant select, insert, update, delete on device_command to stowage_app;
