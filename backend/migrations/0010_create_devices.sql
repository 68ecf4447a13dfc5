-- Agents beside the devices, the devices, what was received from them, what could not be read, and alerts.

create table agent (
    id               uuid primary key,
    site_id          uuid not null references site (id),
    code             text not null constraint agent_code_shape check (code ~ '^[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}$'),
    name             text not null default '',
    state            text not null default 'enrolling' constraint agent_state_known check (state in ('enrolling', 'active', 'revoked')),
    enrol_code_hash  bytea constraint agent_enrol_code_unique unique,   -- one-time: null once it was used
    enrol_expires_at timestamptz,
    secret_hash      text constraint agent_secret_hash_shape check (secret_hash ~ '^\$7\$[0-9]+\$[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+$'),
    created_at       timestamptz not null default now(),
    enrolled_at      timestamptz,
    revoked_at       timestamptz,
    constraint agent_code_unique unique (site_id, code),
    constraint agent_active_has_secret check (state <> 'active' or secret_hash is not null)
);

-- What an agent last said of itself; changes every few seconds, so it stands beside the settings.
create table agent_status (
    site_id         uuid not null references site (id),
    agent_id        uuid primary key references agent (id),
    online          boolean not null default false,
    said_at         timestamptz,              -- by the agent's clock
    received_at     timestamptz not null,
    version         text not null default '',
    epoch           text,
    spool_depth     integer not null default 0,
    spool_oldest_at timestamptz,
    events_lost     bigint not null default 0
);

create table device (
    id         uuid primary key,
    site_id    uuid not null references site (id),
    agent_id   uuid not null references agent (id),
    code       text not null constraint device_code_shape check (code ~ '^[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}$'),
    name       text not null default '',
    kind       text not null,                 -- llrp_reader, barcode_scanner, scale, climate_sensor ...
    place_id   uuid references place (id),    -- the portal's door, the bench, the cold room
    purpose    text not null default 'both' constraint device_purpose_known check (purpose in ('inbound', 'outbound', 'both', 'none')),
    silent_after_s integer not null default 120 constraint device_silent_after_range check (silent_after_s between 10 and 604800),
    active     boolean not null default true,
    created_at timestamptz not null default now(),
    version    integer not null default 1,
    constraint device_code_unique unique (agent_id, code)
);
create index device_by_site on device (site_id, code);
create index device_by_place on device (place_id);

create table device_status (
    site_id         uuid not null references site (id),
    device_id       uuid primary key references device (id),
    state           text not null default 'unknown' constraint device_status_state_known check (state in ('unknown', 'online', 'offline', 'fault')),
    state_since     timestamptz not null default clock_timestamp(),
    detail          text not null default '',
    last_seen_at    timestamptz,
    firmware        text,
    clock_offset_s  double precision,
    readings_per_s  double precision not null default 0,
    rejected_frames bigint not null default 0,
    events_lost     bigint not null default 0,
    antennas        jsonb not null default '{}',
    updated_at      timestamptz not null default clock_timestamp()
);

-- Where a channel of a sensor may stand. Without a row the place's storage class says it (backend/telemetry/limits.py).
create table sensor_limit (
    device_id  uuid not null references device (id),
    channel    text not null constraint sensor_limit_channel_shape check (channel ~ '^[a-z][a-z0-9_]{0,40}$'),
    low        numeric,
    high       numeric,
    hysteresis numeric not null default 0 constraint sensor_limit_hysteresis_positive check (hysteresis >= 0),
    hold_s     integer not null default 60 constraint sensor_limit_hold_range check (hold_s between 0 and 86400),
    primary key (device_id, channel),
    constraint sensor_limit_says_something check (low is not null or high is not null),
    constraint sensor_limit_in_order check (low <= high)
);

-- The last value of each channel, and since when it has been outside its limits.
create table sensor_state (
    site_id     uuid not null references site (id),
    device_id   uuid not null references device (id),
    channel     text not null,
    unit        text not null,
    value       numeric not null,
    at          timestamptz not null,
    received_at timestamptz not null,
    out_since   timestamptz,
    primary key (device_id, channel)
);

-- How far an agent's events are committed: all up to `committed_seq`, and those in `ahead`.
create table event_receipt (
    agent_id      uuid not null references agent (id),
    epoch         text not null,
    committed_seq bigint not null default 0,
    ahead         int8multirange not null default '{}',
    given_up      int8multirange not null default '{}',  -- declared lost after long waiting; still taken if they come
    gap_since     timestamptz,
    gap_resends   integer not null default 0,
    events        bigint not null default 0,
    duplicates    bigint not null default 0,
    updated_at    timestamptz not null default clock_timestamp(),
    primary key (agent_id, epoch)
);

-- Publishers without a sequence: an identity is remembered for a while.
create table ingress_receipt (
    agent_id uuid not null references agent (id),
    identity bytea not null,
    seen_at  timestamptz not null default clock_timestamp(),
    primary key (agent_id, identity)
);
create index ingress_receipt_age on ingress_receipt (seen_at);

-- Evidence: every passage, scan and weight as it came, and every event about a device.
create sequence ingress_event_seq;
create table device_event (
    site_id        uuid not null references site (id),
    agent_id       uuid not null references agent (id),
    epoch          text not null,             -- 'ingress' for publishers without a sequence
    seq            bigint not null,
    device_id      uuid references device (id),
    device         text not null,
    type           text not null,
    occurred_at    timestamptz not null,      -- at the device, corrected; the time of recording where that cannot be true
    device_at      text,                      -- the raw stamp
    recorded_at    timestamptz not null default clock_timestamp(),
    correlation_id text not null,
    data           jsonb not null,
    primary key (site_id, agent_id, epoch, seq)
);
create index device_event_by_device on device_event (device_id, type, occurred_at);
create index device_event_by_correlation on device_event (correlation_id);
create index device_event_age on device_event using brin (recorded_at);

create table dead_letter (
    id           uuid primary key,
    site_id      uuid references site (id),   -- null where the site is not known
    agent_id     uuid references agent (id),
    device       text,
    topic        text not null,
    payload      bytea not null,
    payload_hash bytea not null,
    alone        boolean not null default false,  -- one event cut out of its batch: the cursor went on past it
    kind         text not null constraint dead_letter_kind_known check (kind in (
                     'unreadable', 'newer_version', 'too_large', 'unknown_site', 'unknown_agent', 'revoked', 'unknown_device',
                     'no_place', 'wrong_sender', 'handler_failed')),
    reason       text not null,
    state        text not null default 'open' constraint dead_letter_state_known check (state in ('open', 'retried', 'discarded')),
    times        integer not null default 1,
    first_at     timestamptz not null default clock_timestamp(),
    last_at      timestamptz not null default clock_timestamp(),
    settled_at   timestamptz,
    settled_by   text
);
create unique index dead_letter_open_once on dead_letter (topic, payload_hash) where state = 'open';
create index dead_letter_by_state on dead_letter (state, id);
create index dead_letter_by_device on dead_letter (agent_id, device) where state = 'open';

create table alert (
    id              uuid primary key,
    site_id         uuid not null references site (id),
    kind            text not null,            -- out_of_range, door_open, sensor_silent, reader_silent, agent_silent ...
    subject         text not null,            -- what it is about, unique within the kind: DEVICE:channel, agent code ...
    severity        text not null default 'warning' constraint alert_severity_known check (severity in ('info', 'warning', 'critical')),
    message         text not null,
    data            jsonb not null default '{}',   -- what the sentence is made of, for other languages
    agent_id        uuid references agent (id),
    device_id       uuid references device (id),
    place_id        uuid references place (id),
    state           text not null default 'open' constraint alert_state_known check (state in ('open', 'acknowledged', 'closed')),
    opened_at       timestamptz not null,
    acknowledged_at timestamptz,
    acknowledged_by text,
    closed_at       timestamptz,
    updated_at      timestamptz not null default clock_timestamp(),
    constraint alert_closed_has_time check ((state = 'closed') = (closed_at is not null))
);
create unique index alert_open_once on alert (site_id, kind, subject) where state <> 'closed';
create index alert_by_site on alert (site_id, id);

create trigger audit_agent after insert or update or delete on agent for each row execute function audit_change('id');
create trigger audit_device after insert or update or delete on device for each row execute function audit_change('id');
create trigger audit_sensor_limit after insert or update or delete on sensor_limit for each row execute function audit_change('device_id');

grant select, insert, update on agent, agent_status, device, device_status, sensor_state, event_receipt, alert to stowage_app;
grant select, insert, update, delete on sensor_limit, dead_letter, ingress_receipt, device_event to stowage_app;
grant delete on alert, access_token to stowage_app;
grant usage on sequence ingress_event_seq to stowage_app;
