import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { newParty } from '../support/flow.ts';
import { FailoverCluster, type Way } from './cluster.ts';
import { drill, expectAtLeaderOnly, expectKept, expectReconciledFromHere } from './drill.ts';
import { DrilledService } from './drilled-service.ts';
import { type Fault, KILLED, PAUSED, STANDBY_KILLED, STANDBY_PAUSED, SWITCHOVER } from './faults.ts';

const MINUTE = 60_000;

let cluster: FailoverCluster;
beforeAll(async () => {
  cluster = await FailoverCluster.start();
}, 2 * MINUTE);
afterAll(() => cluster?.end());

const CASES: readonly (readonly [Way, Fault])[] = [
  ['haproxy', PAUSED],
  ['haproxy', STANDBY_KILLED],
  ['haproxy', STANDBY_PAUSED],
  ['hosts', SWITCHOVER],
  ['hosts', KILLED],
  ['hosts', PAUSED],
];

test.each(CASES.map(([way, fault]) => ({ way, fault, name: fault.name })))(
  '$name, by $way: nothing that was answered is lost',
  async ({ way, fault }) => {
    const drilled = await DrilledService.start(cluster, way);
    onTestFinished(() => drilled.end());
    const party = await newParty(drilled.service, 'sandbox');
    const shots = await drill(cluster, drilled, party, fault);
    await expectKept(drilled, shots);
    await expectAtLeaderOnly(cluster, drilled);
    await expectReconciledFromHere(drilled, party);
    expect(await drilled.service.stop()).toBe(0);
  },
  5 * MINUTE,
);
