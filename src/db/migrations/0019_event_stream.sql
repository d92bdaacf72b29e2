-- Developers that follow the event stream. Only their events are kept. `until` moves on while a stream is open. What was
-- numbered up to `since_seq` may have gaps: the developer did not follow then.
create table event_followers (
  developer_id  text primary key references developers (id) on delete cascade,
  since_seq     bigint not null,
  until         timestamptz not null
);

-- Events without a number, written by the statement that makes the change. `data` is json and not jsonb: the order of its
-- members is what is sent. `written_at` is the clock of the database.
create table event_outbox (
  id            bigint generated always as identity primary key,
  developer_id  text not null references developers (id) on delete cascade,
  event_id      text not null,
  type          text not null,
  data          json not null,
  created_at    timestamptz not null,
  written_at    timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_threshold = -1);

-- Events with their numbers, for 24 hours.
create table events (
  seq           bigint primary key,
  developer_id  text not null references developers (id) on delete cascade,
  event_id      text not null,
  type          text not null,
  data          json not null,
  created_at    timestamptz not null,
  written_at    timestamptz not null
) with (autovacuum_vacuum_scale_factor = 0.02);
create index events_of_developer on events (developer_id, seq);
create index events_by_id on events (event_id);

-- The last removed event of each type. A reader that has it, and waited for nothing else, has missed nothing.
create table removed_events (
  developer_id  text not null references developers (id) on delete cascade,
  type          text not null,
  seq           bigint not null,
  event_id      text not null,
  primary key (developer_id, type)
);

insert into feed_positions (feed, last_seq) values ('events', 0);
