-- What has ended is removed after a while (src/retention). Each index is in the order in which rows go, so that no statement
-- looks twice at what stays. None of them holds a column that a refresh or an exchange changes.
create index authorization_requests_ended on authorization_requests (greatest(expires_at, code_expires_at));
create index tokens_ended on tokens (least(expires_at, revoked_at));
-- A token was used when its successor was issued.
create index refresh_tokens_succeeding on refresh_tokens (issued_at, hash) where predecessor is not null;
create index anomalies_ended on anomalies (acknowledged_at) where acknowledged_at is not null;
-- What ends at the same moment goes from the leaves of its tree to the root.
create index grants_ended on grants (least(expires_at, revoked_at), (-delegation_depth), id);

-- When the last token of the grant was issued, once its refresh tokens are gone.
alter table grants add column last_used_at timestamptz;

-- What the rows that were removed had counted for, by the day on which it was counted, so that counters can be compared with
-- rows for ever. `type`: of an anomaly.
create table retention_tallies (
  counted  text not null,
  type     text not null default '',
  day      date not null,
  total    bigint not null,
  primary key (counted, type, day)
);

-- How far rows that are passed once have been passed.
create table retention_positions (
  name   text primary key,
  at     timestamptz not null,
  depth  smallint not null,
  id     text not null
);

-- One row: the replica that removes, until when. The clock is that of the database.
create table retention_turn (
  only_row    boolean primary key default true check (only_row),
  holder      text not null,
  held_until  timestamptz not null
);
insert into retention_turn (holder, held_until) values ('', '-infinity');

-- The last entry that was removed from the beginning of each chain: the first one that is left follows it.
create table audit_prefixes (
  developer_id  text primary key references developers (id) on delete cascade,
  hash          text not null,
  created_at    timestamptz not null,
  removed       bigint not null
);

-- Removed rows leave their room to new ones early, rather than when a fifth of a large table is gone.
alter table authorization_requests set (autovacuum_vacuum_scale_factor = 0.02);
alter table tokens set (autovacuum_vacuum_scale_factor = 0.02);
alter table refresh_tokens set (autovacuum_vacuum_scale_factor = 0.02);
alter table grants set (autovacuum_vacuum_scale_factor = 0.02);
alter table audit_entries set (autovacuum_vacuum_scale_factor = 0.02);
