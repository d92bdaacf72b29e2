-- Where a developer wants to be told of what. The secret is sealed with SECRET_KEY (AES-256-GCM).
create table webhooks (
  id             text primary key,
  developer_id   text not null references developers (id) on delete cascade,
  url            text not null,
  events         text[] not null,
  sealed_secret  bytea not null,
  created_at     timestamptz not null
);
create index webhooks_of_developer on webhooks (developer_id, created_at desc, id desc);

-- One event for one endpoint; written by the statement that makes the change, so that it is kept or lost with it. Until
-- `queued`, no job of the queue knows of it. `data` is json and not jsonb: the order of its members is what is sent.
create table webhook_deliveries (
  id            text primary key,
  webhook_id    text not null references webhooks (id) on delete cascade,
  event_id      text not null,
  event_type    text not null,
  agent_id      text not null,
  data          json not null,
  traceparent   text,
  status        text not null default 'pending' check (status in ('pending', 'delivered', 'failed')),
  attempts      integer not null default 0,
  max_attempts  integer not null,
  last_error    text,
  created_at    timestamptz not null,
  delivered_at  timestamptz,
  queued        boolean not null default false
);
create index webhook_deliveries_newest on webhook_deliveries (webhook_id, created_at desc, id desc);
create index webhook_deliveries_outbox on webhook_deliveries (id) where not queued;
create index webhook_deliveries_pending on webhook_deliveries (created_at) where status = 'pending';
create index webhook_deliveries_ended on webhook_deliveries (created_at) where status <> 'pending';

-- What the deliveries that were removed had come to, so that counters can be compared with rows for ever.
create table removed_deliveries (
  status  text primary key check (status in ('pending', 'delivered', 'failed')),
  total   bigint not null
);
