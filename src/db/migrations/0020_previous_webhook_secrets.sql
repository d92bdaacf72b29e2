-- The secret that a webhook had before its last rotation. It signs beside the new one until `previous_secret_until`.
alter table webhooks
  add column previous_sealed_secret bytea,
  add column previous_secret_until timestamptz;
