-- A suspended developer: its API keys open nothing.
alter table developers add column suspended_at timestamptz;

-- What operators have changed by a command. A command has no scrape, so a running replica takes each row, counts it and logs it.
create table operator_changes (
  seq           bigint generated always as identity primary key,
  developer_id  text not null references developers (id) on delete cascade,
  agent_id      text,
  change        text not null check (change in ('suspended', 'resumed'))
);
create index operator_changes_of_developer on operator_changes (developer_id);
