-- Rules by which a developer lets requests for authorization through, or refuses them, without asking the principal.
-- A condition that is null matches every request; times of day are UTC.
create table policies (
  id                 text primary key,
  developer_id       text not null references developers (id) on delete cascade,
  name               text not null,
  effect             text not null check (effect in ('allow', 'deny')),
  priority           integer not null,
  -- A rule about an agent that is gone can never match again.
  agent_id           text references agents (id) on delete cascade,
  principal_id       text,
  scopes             text[],
  time_of_day_start  time,
  time_of_day_end    time,
  created_at         timestamptz not null,
  updated_at         timestamptz not null
);
create index policies_in_order on policies (developer_id, priority desc, created_at, id);
create index policies_agent on policies (agent_id) where agent_id is not null;
