import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';
import { crowd } from './replicas.ts';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

/** Statuses of so many requests at once, by how often each came. */
async function atOnce(count: number, path: string, body: unknown, key: string) {
  const { answers } = await crowd([service], count, () => service.request('POST', path, { key, body }));
  const refused = answers.filter(({ status }) => status !== 201);
  return {
    created: count - refused.length,
    refusals: [...new Set(refused.map(({ status, body }) => `${status} ${body.message}`))],
  };
}

const hook = { url: 'https://hooks.example.com/in', events: ['grant.created'] };

/** One round may be lucky. */
const ROUNDS = [1, 2, 3, 4, 5, 6];

test('for the last of 20 webhooks one of 40 at once gets in, and another developer is not held up', async () => {
  const [one, other] = [await newParty(service), await newParty(service)];
  expect(await atOnce(19, '/v1/webhooks', hook, one.key)).toEqual({ created: 19, refusals: [] });
  for (const _ of ROUNDS) {
    const [many, few] = await Promise.all([
      atOnce(40, '/v1/webhooks', hook, one.key),
      atOnce(3, '/v1/webhooks', hook, other.key),
    ]);
    expect(many).toEqual({ created: 1, refusals: ['400 A developer has at most 20 webhooks'] });
    expect(few).toEqual({ created: 3, refusals: [] });
    await service.database.sql`delete from webhooks where id = (select max(id) from webhooks where
      developer_id = ${one.developerId})`;
  }
});

test('for the last of 500 policies one of 40 at once gets in', async () => {
  const { key, developerId } = await newParty(service);
  await service.database
    .sql`insert into policies (developer_id, id, name, effect, priority, created_at, updated_at)
    select ${developerId}, 'filler_' || n, 'Rule', 'deny', 0, now(), now() from generate_series(1, 499) n`;
  const rule = { name: 'Rule', effect: 'deny' };
  for (const _ of ROUNDS) {
    expect(await atOnce(40, '/v1/policies', rule, key)).toEqual({
      created: 1,
      refusals: ['400 A developer has at most 500 policies'],
    });
    await service.database.sql`delete from policies where id like 'pol_%'`;
  }
});
