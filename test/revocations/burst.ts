import { expect } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';
import { snapshotOf } from './follow.ts';
import { follow, quantile } from './verifier.ts';

const WRITERS = 64;
const APPLICATION = 'replica_under_test';

/**
 * Revokes `count` grants and, for some, their tokens, by 64 writers on two replicas. Meanwhile one replica is killed and another
 * takes its place, and database connections are ended. Verifiers on both transports must end with exactly what the database
 * has, in order, without a gap and without a repetition.
 */
export async function revokeInBursts(count: number): Promise<void> {
  const database = await createTestDatabase();
  const env = {
    DATABASE_URL: `${database.url}?application_name=${APPLICATION}`,
    PUBLIC_URL: 'https://auth.example.com',
  };
  const start = () => startService({ database, env });
  const services: TestService[] = [await start(), await start()];
  const party = await newParty(services[0] as TestService);
  const { sql } = database;
  await sql`insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at, root_grant_id,
      delegation_depth)
    select 'g' || n, ${party.developerId}, ${party.agentId}, 'p', '{}', 'active', now(), now() + interval '1 day', 'g' || n, 0
    from generate_series(1, ${count}::int) n`;
  await sql`insert into tokens (jti, grant_id, kid, expires_at)
    select 't' || n, 'g' || n, 'k', now() + interval '1 day' from generate_series(1, ${count}::int, 10) n`;

  const { cursor: since } = await snapshotOf(services[0] as TestService, party.key);
  const verifiers = (['poll', 'poll', 'stream', 'stream'] as const).map((transport, first) =>
    follow(() => services, { key: party.key, transport, since, first }),
  );

  const act = async (method: string, path: string, body?: unknown) => {
    await waitFor(async () => {
      const service = services[Math.floor(Math.random() * services.length)] as TestService;
      // A replica that was killed; the act may have been committed, and is then a 404.
      const answer = await service.request(method, path, { key: party.key, body }).catch(() => null);
      return answer && [204, 404].includes(answer.status) ? true : undefined;
    });
  };
  let begun = 0;
  const write = async () => {
    while (begun < count) {
      const n = ++begun;
      if (n % 10 === 1) await act('POST', '/v1/tokens/revoke', { jti: `t${n}` });
      await act('DELETE', `/v1/grants/g${n}`);
    }
  };
  const writing = Promise.all(Array.from({ length: WRITERS }, write));
  const reached = (part: number) => waitFor(() => begun >= count * part || undefined, 240_000);

  await reached(0.25);
  await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = ${APPLICATION}`;
  await reached(0.4);
  const killed = services.pop() as TestService;
  killed.process.kill('SIGKILL');
  await reached(0.6);
  services.push(await start());
  await reached(0.75);
  await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = ${APPLICATION}`;
  await writing;

  const wanted = (
    await sql<{ name: string }[]>`
    select 'revoked ' || id as name from grants where status = 'revoked' and developer_id = ${party.developerId}
    union all select 'token_revoked ' || jti from tokens where revoked_at is not null order by 1`
  ).map(({ name }) => name);
  expect(wanted.length).toBe(count + Math.ceil(count / 10));
  await waitFor(() => verifiers.every(({ entries }) => entries.length >= wanted.length) || undefined, 60_000);
  await Promise.all(verifiers.map((verifier) => verifier.stop()));
  const stored = await sql<{ seq: number }[]>`select seq::float8 as seq from revocation_entries order by seq`;
  for (const { entries } of verifiers) {
    expect(entries.map(({ seq }) => seq)).toEqual(stored.map(({ seq }) => seq));
    const names = entries.map(({ action, grantId, jti }) => `${action} ${jti ?? grantId}`);
    expect(names.sort()).toEqual(wanted.toSorted());
  }
  const { entries: all } = await snapshotOf(services[0] as TestService, party.key);
  expect(all.map(({ action, grantId, jti }) => `${action} ${jti ?? grantId}`).sort()).toEqual(
    wanted.toSorted(),
  );
  for (const [index, { ages, interruptions }] of verifiers.entries())
    process.stdout.write(
      `${index > 1 ? 'stream' : 'poll'}: ${ages.length} entries, age p50 ${quantile(ages, 0.5)} ms, p99 ${quantile(ages, 0.99)} ms, ${interruptions()} interruptions\n`,
    );
  // One of the two streams was on the replica that was killed.
  expect(verifiers.slice(2).reduce((sum, { interruptions }) => sum + interruptions(), 0)).toBeGreaterThan(0);
  await Promise.all(services.map((service) => service.stop()));
  await database.drop();
}
