-- The API keys of developers. Only the SHA-256 of a key is stored, and its first characters, by which people tell keys apart.
-- `seconds` is how long a key lives (null: for ever): the key that replaces it by rotation lives as long. An overlap of a
-- rotation ends a key earlier, so `expires_at` alone does not say it. The clock of the times is that of the database.
create table api_keys (
  id            text primary key,
  developer_id  text not null references developers (id) on delete cascade,
  hash          bytea not null unique,
  name          text not null,
  prefix        text not null,
  seconds       integer,
  created_at    timestamptz not null,
  expires_at    timestamptz,
  last_used_at  timestamptz
);
create index api_keys_of_developer on api_keys (developer_id, created_at, id);

-- While an upgrade rolls, replicas of the release before read and change `developers.api_key_hash`. This release keeps there the
-- hash of one key that does not expire; null: the developer has none. These replicas know that key alone: what they
-- cannot know, they refuse. The triggers take over what they change: the key of a new developer, and a rotation.
alter table developers alter column api_key_hash drop not null;

create function api_key_of_older_release() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' then
    if new.api_key_hash is not distinct from old.api_key_hash or new.api_key_hash is null
      or exists (select from api_keys where hash = new.api_key_hash) then
      return null;
    end if;
    delete from api_keys where hash = old.api_key_hash;
  end if;
  if new.api_key_hash is not null then
    insert into api_keys (id, developer_id, hash, name, prefix, created_at)
      values ('key_' || upper(left(encode(sha256(new.api_key_hash), 'hex'), 26)), new.id, new.api_key_hash, 'default',
        case new.mode when 'live' then 'gx_live_' else 'gx_test_' end, now())
      on conflict do nothing;
  end if;
  return null;
end $$;
create trigger api_key_of_new_developer after insert on developers
  for each row execute function api_key_of_older_release();
create trigger api_key_rotated after update of api_key_hash on developers
  for each row execute function api_key_of_older_release();

insert into api_keys (id, developer_id, hash, name, prefix, created_at)
  select 'key_' || upper(left(encode(sha256(api_key_hash), 'hex'), 26)), id, api_key_hash, 'default',
    case mode when 'live' then 'gx_live_' else 'gx_test_' end, created_at
  from developers;

-- A stop kills all grants of a principal, of an agent or of a developer at its commit. It begins in a phase of its own, so that
-- the job of the release before leaves it to this one: it would find none of its grants.
alter table removals drop constraint removals_phase_check;
alter table removals add constraint removals_phase_check check (phase in ('collect', 'sweep', 'expand', 'revoke', 'purge'));

-- Signing keys that were revoked, wherever they come from, for ever. `counted_at`: when a replica counted it; each is counted once.
create table revoked_signing_keys (
  kid         text primary key,
  revoked_at  timestamptz not null,
  counted_at  timestamptz
);
