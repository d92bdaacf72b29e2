-- When a replica told of the key in its log; each key is told of once, by one replica.
alter table signing_keys add column announced_at timestamptz;
update signing_keys set announced_at = created_at;
