-- The quota of audit entries. `day` (UTC) is that of the last entry, and `entries_of_day` how many it has had. The row is locked
-- by each writer anyway, so the count is exact and costs the same whatever the table holds. It begins with this migration:
-- entries of the same day that are older, or that come from replicas of an older release, are not in it.
alter table audit_heads add column day date, add column entries_of_day integer not null default 0;
