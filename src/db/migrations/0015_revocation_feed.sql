-- The revocation feed: what verifiers who work offline must know. Triggers write what was revoked, unnumbered, with the
-- statement that revokes, whatever statement that is. One replica at a time then numbers what is committed, so no entry can
-- appear below a number that a reader has passed. `written_at` is the clock of the database.
create table revocation_outbox (
  id            bigint generated always as identity primary key,
  developer_id  text not null references developers (id) on delete cascade,
  action        text not null check (action in ('revoked', 'token_revoked')),
  grant_id      text not null,
  jti           text,
  expires_at    timestamptz not null,
  at            timestamptz not null,
  written_at    timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_threshold = -1);

-- Agents that were suspended or resumed. The numbering makes an entry for each living grant, some at a time: an agent may have
-- more grants than a request can wait for. `after_*` is the last grant that has one. `expanded_by` is set after the last one.
create table revocation_agents (
  id              bigint generated always as identity primary key,
  developer_id    text not null references developers (id) on delete cascade,
  agent_id        text not null,
  action          text not null check (action in ('suspended', 'resumed')),
  at              timestamptz not null,
  written_at      timestamptz not null default clock_timestamp(),
  after_issued_at timestamptz not null default 'infinity',
  after_id        text not null default '',
  expanded_by     xid8,
  expanded_at     timestamptz
);

create table revocation_entries (
  seq           bigint primary key,
  developer_id  text not null references developers (id) on delete cascade,
  action        text not null check (action in ('revoked', 'suspended', 'resumed', 'token_revoked')),
  grant_id      text not null,
  jti           text,
  expires_at    timestamptz not null,
  at            timestamptz not null,
  written_at    timestamptz not null
) with (autovacuum_vacuum_scale_factor = 0.02);
create index revocation_entries_of_developer on revocation_entries (developer_id, seq);
-- A grant is revoked once, also where a removal and a request meet.
create unique index revocation_entries_revoked on revocation_entries (grant_id) where action = 'revoked';
create index revocation_entries_of_grant on revocation_entries (grant_id, seq) where action <> 'token_revoked';
create index revocation_entries_ended on revocation_entries (expires_at);

-- The number that was given last. Whoever has the row numbers.
create table feed_positions (
  feed      text primary key,
  last_seq  bigint not null
);

-- Row triggers with a condition: they are queued for rows that fall and for no others.
create function tell_grant_revoked() returns trigger language plpgsql as $$
begin
  insert into revocation_outbox (developer_id, action, grant_id, expires_at, at)
    values (new.developer_id, 'revoked', new.id, new.expires_at, new.revoked_at);
  return null;
end $$;
create function tell_token_revoked() returns trigger language plpgsql as $$
begin
  insert into revocation_outbox (developer_id, action, grant_id, jti, expires_at, at)
    select developer_id, 'token_revoked', new.grant_id, new.jti, new.expires_at, new.revoked_at
    from grants where id = new.grant_id;
  return null;
end $$;
create function tell_agent_changed() returns trigger language plpgsql as $$
begin
  insert into revocation_agents (developer_id, agent_id, action, at)
    values (new.developer_id, new.id, case new.status when 'suspended' then 'suspended' else 'resumed' end, new.updated_at);
  return null;
end $$;
-- The grants of a removal are dead since its commit. They are told of when they are found, which is long before their rows are
-- revoked; the second entry of a grant is dropped when it would be numbered.
create function tell_removal_grants() returns trigger language plpgsql as $$
begin
  insert into revocation_outbox (developer_id, action, grant_id, expires_at, at)
    select removals.developer_id, 'revoked', new_rows.grant_id, new_rows.expires_at, removals.removed_at
    from new_rows join removals on removals.id = removal_id;
  return null;
end $$;
create trigger tell_grant_revoked after update of status on grants
  for each row when (old.status = 'active' and new.status = 'revoked') execute function tell_grant_revoked();
create trigger tell_token_revoked after update of revoked_at on tokens
  for each row when (old.revoked_at is null and new.revoked_at is not null) execute function tell_token_revoked();
-- The mark of a removed agent suspends it; its removal tells of its grants.
create trigger tell_agent_changed after update of status on agents
  for each row when (old.status <> new.status and new.removed_at is null) execute function tell_agent_changed();
create trigger tell_removal_grants after insert on removal_grants
  referencing new table as new_rows for each statement execute function tell_removal_grants();

-- What was revoked or suspended before. Making the triggers has locked the tables against writers, so nothing is missed. The
-- numbering leaves out the second entry of a grant here too.
insert into revocation_outbox (developer_id, action, grant_id, expires_at, at)
  select developer_id, 'revoked', id, expires_at, revoked_at from grants where status = 'revoked' and expires_at > now()
  union all
  select removals.developer_id, 'revoked', removal_grants.grant_id, removal_grants.expires_at, removals.removed_at
  from removal_grants join removals on removals.id = removal_id where removal_grants.expires_at > now();
insert into revocation_outbox (developer_id, action, grant_id, jti, expires_at, at)
  select grants.developer_id, 'token_revoked', grants.id, jti, tokens.expires_at, tokens.revoked_at
  from tokens join grants on grants.id = grant_id where tokens.revoked_at is not null and tokens.expires_at > now();
insert into revocation_agents (developer_id, agent_id, action, at)
  select developer_id, id, 'suspended', updated_at from agents where status = 'suspended' and removed_at is null;
insert into feed_positions (feed, last_seq) values ('revocations', 0);
