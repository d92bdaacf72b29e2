-- When the next attempt at a delivery is due; null before the first, which is due at once. The queue's jobs know it too, but
-- only of deliveries that have one. What waits during the upgrade counts as due until its next attempt has ended.
alter table webhook_deliveries add column next_attempt_at timestamptz;
drop index webhook_deliveries_pending;
create index webhook_deliveries_due on webhook_deliveries (coalesce(next_attempt_at, created_at)) where status = 'pending';
