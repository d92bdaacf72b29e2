-- A second hash of each entry, over all that is stored of it (src/audit/chain.ts). Null: an older release wrote the entry. Its
-- `hash` protects it, and the first entry with a `row_hash` covers that one.
alter table audit_entries add column row_hash text;

-- The last entry of each chain. `covered_hash` is its `hash` if `row_hash` is its `row_hash`: a release that knows neither of
-- them leaves both as they were. `checkpoint_due`: when the first hour ends that has an entry after the last checkpoint.
alter table audit_heads
  add column row_hash text,
  add column covered_hash text,
  add column last_at timestamptz,
  add column checkpoint_due timestamptz;
update audit_heads set checkpoint_due = now() where hash is not null;
create index audit_heads_due on audit_heads (checkpoint_due) where checkpoint_due is not null;

-- Signed heads. A checkpoint names the last entry of the hours before `made_at`; `jws` says the same with a signature.
-- `is_prefix`: the entries up to it are removed, or about to be.
create table audit_checkpoints (
  developer_id  text not null references developers (id) on delete cascade,
  seq           bigint not null,
  entry_id      text not null,
  hash          text not null,
  row_hash      text,
  entry_at      timestamptz not null,
  made_at       timestamptz not null,
  kid           text not null,
  jws           text not null,
  is_prefix     boolean not null default false,
  primary key (developer_id, seq)
);

create index audit_checkpoints_ended on audit_checkpoints (entry_at) where not is_prefix;

-- The public halves of the keys that signed checkpoints. A key of SIGNING_KEYS_FILE may leave that file.
create table audit_checkpoint_keys (
  kid         text primary key,
  public_jwk  jsonb not null
);

-- `seq`: of the checkpoint below which the prefix of a chain is removed; 0: an older release removed it, before there were
-- checkpoints. There is no default: an older release that still runs must not cut a chain where nothing is signed, and its
-- attempt fails. `pending`: entries up to `seq` are still there.
alter table audit_prefixes add column seq bigint not null default 0, add column pending boolean not null default false;
alter table audit_prefixes alter column seq drop default;
create index audit_prefixes_pending on audit_prefixes (developer_id) where pending;

-- Lists, exports and verifications that begin or end at a time.
create index audit_entries_by_time on audit_entries (developer_id, created_at desc, seq desc);

-- How many agents of a developer were removed.
create index removed_grants_of_developer on removed_grants (developer_id);
