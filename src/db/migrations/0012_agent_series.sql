-- Which agents have series of their own in the metrics: those whose position is at most METRICS_AGENT_LIMIT. An agent takes the
-- next position when it is first counted, on whichever replica that is, and keeps it for ever, also after it was deleted: its
-- last events come after its row has gone. Positions end with the greatest limit that can be configured, and so does the table.
create table agent_series (
  agent_id  text primary key,
  position  integer not null unique
);

-- When an attempt at any delivery of the webhook last ended. Deliveries that are due while attempts go on wait for their own
-- receiver, and not for the queue.
alter table webhooks add column attempted_at timestamptz;
drop index webhook_deliveries_due;
create index webhook_deliveries_due_of_webhook on webhook_deliveries (webhook_id, coalesce(next_attempt_at, created_at))
  where status = 'pending';

-- Counts and pages of the grants of a developer that have one status. `active` and `expired` are told apart by their expiry.
create index grants_by_status on grants (developer_id, status, expires_at);
