import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { newParty } from '../support/flow.ts';
import { FailoverCluster } from './cluster.ts';
import { drill, expectAtLeaderOnly, expectKept, expectReconciledFromHere } from './drill.ts';
import { DrilledService } from './drilled-service.ts';
import { KILLED, SWITCHOVER } from './faults.ts';

let cluster: FailoverCluster;
beforeAll(async () => {
  cluster = await FailoverCluster.start();
});
afterAll(() => cluster?.end());

test.each([SWITCHOVER, KILLED])(
  '$name, by way of HAProxy: nothing that was answered is lost',
  async (fault) => {
    const drilled = await DrilledService.start(cluster, 'haproxy');
    onTestFinished(() => drilled.end());
    const party = await newParty(drilled.service, 'sandbox');
    const shots = await drill(cluster, drilled, party, fault);
    await expectKept(drilled, shots);
    await expectAtLeaderOnly(cluster, drilled);
    await expectReconciledFromHere(drilled, party);
    expect(await drilled.service.stop()).toBe(0);
  },
);
