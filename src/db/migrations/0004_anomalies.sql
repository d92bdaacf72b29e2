-- What rules about the behaviour of agents need: each asks about one agent and a span of time, on an index.
alter table refresh_tokens add column agent_id text;
update refresh_tokens set agent_id = grants.agent_id from grants where grants.id = refresh_tokens.grant_id;
alter table refresh_tokens alter column agent_id set not null;
create index refresh_tokens_agent on refresh_tokens (agent_id, issued_at);
drop index grants_agent;
create index grants_agent on grants (agent_id, principal_id, issued_at);
drop index authorization_requests_agent;
create index authorization_requests_agent on authorization_requests (agent_id, created_at);
create index audit_entries_agent_time on audit_entries (developer_id, agent_id, created_at);

-- A refused exchange leaves no other row. By the minute, so that whoever guesses codes fills no disk.
create table failed_exchanges (
  agent_id  text not null,
  minute    timestamptz not null,
  total     integer not null,
  last_at   timestamptz not null,
  primary key (agent_id, minute)
);
create index failed_exchanges_old on failed_exchanges (minute);

-- Kept when the agent goes: each was counted once.
create table anomalies (
  id               text primary key,
  developer_id     text not null references developers (id) on delete cascade,
  type             text not null,
  severity         text not null check (severity in ('low', 'medium', 'high')),
  agent_id         text not null,
  principal_id     text,
  description      text not null,
  metadata         jsonb not null,
  detected_at      timestamptz not null,
  seen_at          timestamptz not null,
  acknowledged_at  timestamptz,
  notes            text
);
create unique index anomalies_open on anomalies (developer_id, type, agent_id, coalesce(principal_id, ''))
  where acknowledged_at is null;
create index anomalies_acknowledged on anomalies
  (developer_id, type, agent_id, coalesce(principal_id, ''), acknowledged_at) where acknowledged_at is not null;
create index anomalies_newest on anomalies (developer_id, detected_at desc, id desc);
create index anomalies_newest_open on anomalies (developer_id, detected_at desc, id desc) where acknowledged_at is null;

-- One row: when some replica last began to look at all agents.
create table anomaly_scan (
  only_row  boolean primary key default true check (only_row),
  begun_at  timestamptz not null
);
insert into anomaly_scan (begun_at) values ('-infinity');
