import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { newParty } from '../support/flow.ts';
import { waitFor } from '../support/service.ts';
import { FailoverCluster } from './cluster.ts';
import { drill, expectAtLeaderOnly, expectKept } from './drill.ts';
import { DrilledService } from './drilled-service.ts';
import { KILLED, SWITCHOVER } from './faults.ts';

let cluster: FailoverCluster;
beforeAll(async () => {
  cluster = await FailoverCluster.start();
});
afterAll(() => cluster?.end());

test.each(['cancelled', 'terminated'] as const)(
  'a commit whose wait for the synchronous standby is %s: nobody is told that it was done, or that it was not',
  async (how) => {
    const drilled = await DrilledService.start(cluster, 'haproxy');
    onTestFinished(() => drilled.end());
    const { service, sql } = drilled;
    const party = await newParty(service, 'sandbox');
    const [code = '', other = ''] = [(await party.authorize()).code, (await party.authorize()).code];
    const { grantId } = await party.exchange(other);
    const { key, agentId } = party;
    const requests = [
      ['POST', '/v1/authorize', { agentId, principalId: 'user_2', scopes: ['calendar:read'] }],
      ['POST', '/v1/token', { agentId, code }],
      ['DELETE', `/v1/grants/${grantId}`, undefined],
    ] as const;
    const standby = await cluster.synchronousStandby();
    cluster.pause(standby);
    onTestFinished(() => cluster.resume(standby));
    const answers = requests.map(([method, path, body]) => service.request(method, path, { key, body }));
    const waiting = await waitFor(async () => {
      const rows = await sql<{ pid: number }[]>`select pid from pg_stat_activity
        where datname = current_database() and wait_event = 'SyncRep'`;
      return rows.length >= requests.length ? rows : undefined;
    });
    for (const { pid } of waiting)
      await (how === 'cancelled'
        ? sql`select pg_cancel_backend(${pid})`
        : sql`select pg_terminate_backend(${pid})`);
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([500, 500, 500]);
  },
);

test.each([SWITCHOVER, KILLED])(
  '$name, by way of HAProxy: nothing that was answered is lost',
  async (fault) => {
    const drilled = await DrilledService.start(cluster, 'haproxy');
    onTestFinished(() => drilled.end());
    const party = await newParty(drilled.service, 'sandbox');
    const shots = await drill(cluster, drilled, party, fault);
    await expectKept(drilled, shots);
    await expectAtLeaderOnly(cluster, drilled);
    expect(await drilled.service.stop()).toBe(0);
  },
);
