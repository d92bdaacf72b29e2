-- The numbers of the gauges, so that no reading counts a table. `total` is the number of rows that end after `horizon`, but
-- for the changes that have not been added yet. It moves `horizon` behind the clock, and so takes out what has expired.
create table tallies (
  name     text primary key,
  total    bigint not null,
  horizon  timestamptz not null
);

-- What a statement changed, written with it, so that it is kept or lost with it. Rows are only added: no writer waits for
-- another one, as it would for a shared counter. `ends_by` is the end of the minute in which the counted rows expire.
create table tally_changes (
  name     text not null,
  ends_by  timestamptz not null,
  change   bigint not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_threshold = -1);

create function minute_end(at timestamptz) returns timestamptz language sql immutable parallel safe as
  $$ select date_bin('1 minute', at + interval '59.999999 s', timestamptz '2000-01-01 00:00:00Z') $$;

-- Grants, and everything delegated from them, that are dead although their rows do not say so yet: too many for one request.
-- A background job works them off. A column that is null matches every grant; `issued_by` leaves out what was granted later.
create table removals (
  id              bigint generated always as identity primary key,
  developer_id    text not null references developers (id) on delete cascade,
  agent_id        text,
  principal_id    text,
  grant_id        text,
  issued_by       timestamptz not null default 'infinity',
  removes_agent   boolean not null default false,
  revoked_by      text not null,
  removed_at      timestamptz not null,
  traceparent     text,
  -- How far the job has come: the last matching grant that was collected, and the last collected one whose children were.
  phase           text not null default 'collect' check (phase in ('collect', 'expand', 'revoke', 'purge')),
  after_issued_at timestamptz not null default 'infinity',
  after_id        text not null default '',
  expanded        bigint not null default 0,
  worked_at       timestamptz not null default '-infinity',
  -- What it has come to. A finished removal stays: its grants are counted as revoked long after the time that they bear.
  revoked         bigint not null default 0,
  finished_at     timestamptz
);
create index removals_of_developer on removals (developer_id) where finished_at is null;
create index removals_next on removals (worked_at) where finished_at is null;

-- The active grants of removals that have been found and are still to be revoked.
create table removal_grants (
  seq         bigint generated always as identity primary key,
  removal_id  bigint not null references removals (id) on delete cascade,
  grant_id    text not null unique,
  expires_at  timestamptz not null
);
create index removal_grants_in_order on removal_grants (removal_id, seq);
create index removal_grants_expiry on removal_grants (expires_at);

-- Set: the agent is deleted, and its row waits for those that refer to it.
alter table agents add column removed_at timestamptz;

-- Triggers, so that replicas of the release before keep the numbers too while an upgrade rolls.
create function tally_grants() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into tally_changes (name, ends_by, change)
      select 'active_grants', minute_end(expires_at), count(*) from new_rows where status = 'active' group by 2;
  elsif tg_op = 'DELETE' then
    insert into tally_changes (name, ends_by, change)
      select 'active_grants', minute_end(expires_at), -count(*) from old_rows where status = 'active' group by 2;
    if exists (select from removal_grants) then
      delete from removal_grants where grant_id in (select id from old_rows where status = 'active');
    end if;
  else
    insert into tally_changes (name, ends_by, change)
      select 'active_grants', ends_by, sum(change) from (
        select minute_end(expires_at) as ends_by, 1 as change from new_rows where status = 'active'
        union all select minute_end(expires_at), -1 from old_rows where status = 'active') changed
      group by ends_by having sum(change) <> 0;
    if exists (select from removal_grants) then
      delete from removal_grants where grant_id in (select id from new_rows where status <> 'active');
    end if;
  end if;
  return null;
end $$;

create function tally_removal_grants() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into tally_changes (name, ends_by, change)
      select 'removal_pending', minute_end(expires_at), count(*) from new_rows group by 2;
  else
    insert into tally_changes (name, ends_by, change)
      select 'removal_pending', minute_end(expires_at), -count(*) from old_rows group by 2;
  end if;
  return null;
end $$;

create function tally_anomalies() returns trigger language plpgsql as $$
declare
  difference bigint := 0;
begin
  if tg_op <> 'DELETE' then
    difference := (select count(*) from new_rows where acknowledged_at is null);
  end if;
  if tg_op <> 'INSERT' then
    difference := difference - (select count(*) from old_rows where acknowledged_at is null);
  end if;
  if difference <> 0 then
    insert into tally_changes (name, ends_by, change) values ('unacknowledged_anomalies', 'infinity', difference);
  end if;
  return null;
end $$;

create trigger tally_grants_added after insert on grants
  referencing new table as new_rows for each statement execute function tally_grants();
create trigger tally_grants_changed after update on grants
  referencing old table as old_rows new table as new_rows for each statement execute function tally_grants();
create trigger tally_grants_removed after delete on grants
  referencing old table as old_rows for each statement execute function tally_grants();
create trigger tally_removal_grants_added after insert on removal_grants
  referencing new table as new_rows for each statement execute function tally_removal_grants();
create trigger tally_removal_grants_removed after delete on removal_grants
  referencing old table as old_rows for each statement execute function tally_removal_grants();
create trigger tally_anomalies_added after insert on anomalies
  referencing new table as new_rows for each statement execute function tally_anomalies();
create trigger tally_anomalies_changed after update on anomalies
  referencing old table as old_rows new table as new_rows for each statement execute function tally_anomalies();
create trigger tally_anomalies_removed after delete on anomalies
  referencing old table as old_rows for each statement execute function tally_anomalies();

-- Making the triggers has locked the tables against writers. So these counts are exact.
insert into tallies (name, total, horizon)
  select 'active_grants', (select count(*) from grants where status = 'active' and expires_at > horizon), horizon
  from date_bin('1 minute', now() - interval '2 minutes', timestamptz '2000-01-01 00:00:00Z') horizon;
insert into tallies (name, total, horizon) select 'removal_pending', 0, horizon from tallies;
insert into tallies (name, total, horizon)
  select 'unacknowledged_anomalies', count(*), '-infinity' from anomalies where acknowledged_at is null;
