-- Developers (tenants). Only the SHA-256 of an API key is stored.
create table developers (
  id            text primary key,
  name          text not null,
  email         text,
  mode          text not null check (mode in ('live', 'sandbox')),
  plan          text not null default 'free',
  api_key_hash  bytea not null unique,
  created_at    timestamptz not null
);
create unique index developers_email on developers (lower(email));

create table agents (
  id            text primary key,
  developer_id  text not null references developers (id) on delete cascade,
  name          text not null,
  description   text not null,
  scopes        text[] not null,
  status        text not null check (status in ('active', 'suspended')),
  created_at    timestamptz not null,
  updated_at    timestamptz not null
);
create index agents_newest on agents (developer_id, created_at desc, id desc);

-- A request, its decision, and the one code that it may yield (stored as SHA-256).
create table authorization_requests (
  id                  text primary key,
  developer_id        text not null references developers (id) on delete cascade,
  agent_id            text not null references agents (id) on delete cascade,
  principal_id        text not null,
  scopes              text[] not null,
  redirect_uri        text,
  state               text,
  audience            text,
  grant_seconds       integer not null,
  code_challenge      text,
  status              text not null check (status in ('pending', 'approved', 'denied')),
  created_at          timestamptz not null,
  expires_at          timestamptz not null,
  code_hash           bytea unique,
  code_expires_at     timestamptz,
  exchanged_at        timestamptz,
  grant_id            text
);
create index authorization_requests_agent on authorization_requests (agent_id);

-- `status` holds only what was done to a grant; that it has expired is derived from expires_at on every read.
create table grants (
  id               text primary key,
  developer_id     text not null references developers (id) on delete cascade,
  agent_id         text not null references agents (id),
  principal_id     text not null,
  scopes           text[] not null,
  audience         text,
  status           text not null check (status in ('active', 'revoked')),
  issued_at        timestamptz not null,
  expires_at       timestamptz not null,
  revoked_at       timestamptz,
  revoked_by       text,
  parent_grant_id  text,
  root_grant_id    text not null,
  delegation_depth smallint not null,
  check ((status = 'revoked') = (revoked_at is not null))
);
create index grants_newest on grants (developer_id, issued_at desc, id desc);
create index grants_by_agent on grants (developer_id, agent_id, issued_at desc, id desc);
create index grants_by_principal on grants (developer_id, principal_id, issued_at desc, id desc);
create index grants_agent on grants (agent_id);
create index grants_children on grants (parent_grant_id) where parent_grant_id is not null;
create index grants_active on grants (expires_at) where status = 'active';

-- A grant token lives while its row is not revoked and its grant is alive: revoking a grant touches no token row.
create table tokens (
  jti         text primary key,
  grant_id    text not null references grants (id) on delete cascade,
  kid         text not null,
  expires_at  timestamptz not null,
  revoked_at  timestamptz
);
create index tokens_grant on tokens (grant_id);

create table refresh_tokens (
  hash              bytea primary key,
  grant_id          text not null references grants (id) on delete cascade,
  predecessor       bytea,
  issued_at         timestamptz not null,
  used_at           timestamptz,
  replaced_at       timestamptz,
  idempotency_hash  bytea
);
create index refresh_tokens_grant on refresh_tokens (grant_id);
create index refresh_tokens_successors on refresh_tokens (predecessor) where predecessor is not null;

-- What a deleted agent's grants had come to, so that counters can be compared with rows for ever.
create table removed_grants (
  agent_id      text primary key,
  developer_id  text not null,
  removed_at    timestamptz not null,
  consented     bigint not null,
  delegated     bigint not null,
  revoked       bigint not null
);

-- Append-only. The head row of a developer is locked by each writer: that is what keeps the chain a chain.
create table audit_heads (
  developer_id  text primary key references developers (id) on delete cascade,
  hash          text
);
create table audit_entries (
  seq           bigint generated always as identity primary key,
  id            text not null unique,
  developer_id  text not null references developers (id) on delete cascade,
  agent_id      text not null,
  agent_did     text not null,
  grant_id      text not null,
  principal_id  text not null,
  action        text not null,
  status        text not null check (status in ('success', 'failure', 'blocked')),
  metadata      jsonb not null,
  created_at    timestamptz not null,
  hash          text not null,
  prev_hash     text
);
create unique index audit_entries_chain on audit_entries (developer_id, coalesce(prev_hash, ''));
create index audit_entries_newest on audit_entries (developer_id, seq desc);
create index audit_entries_grant on audit_entries (developer_id, grant_id, seq desc);
create index audit_entries_agent on audit_entries (developer_id, agent_id, seq desc);
create index audit_entries_principal on audit_entries (developer_id, principal_id, seq desc);

-- Private keys are sealed with SECRET_KEY (AES-256-GCM). A key signs from signs_from until a later one does.
create table signing_keys (
  kid              text primary key,
  public_jwk       jsonb not null,
  sealed_private   bytea not null,
  created_at       timestamptz not null,
  signs_from       timestamptz not null,
  published_until  timestamptz
);
create index tokens_kid on tokens (kid, expires_at);
