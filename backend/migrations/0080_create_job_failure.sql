-- What the last try of a job said. The queue keeps that a job failed, not why.

create table job_failure (
    job_id   bigint primary key,  -- procrastinate_jobs; its row may go first
    first_at timestamptz not null,
    last_at  timestamptz not null,
    error    text not null
);
create index job_failure_by_age on job_failure (last_at);

grant select, insert, update, delete on job_failure to stowage_app;
