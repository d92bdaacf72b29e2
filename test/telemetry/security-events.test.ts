import { afterEach, expect, test } from 'vitest';
import { ADMIN_CHANGES } from '../../src/label-values.ts';
import { inRequest, requestScope } from '../../src/request-scope.ts';
import type { AdminChange } from '../../src/telemetry/security-events.ts';
import { changes, startHarness } from './harness.ts';

let harness: ReturnType<typeof startHarness>;
afterEach(() => {
  harness.telemetry.events.flush();
  return harness.stop();
});

const FAILURE = { credential: 'api_key', reason: 'unknown', ip: '192.0.2.1', route: '/v1/me' } as const;
const ownFields = () =>
  harness.lines().map(({ timestamp: _1, trace_id: _2, span_id: _3, trace_flags: _4, ...own }) => own);

const CHANGES: [AdminChange, string][] = [
  [{ object: 'developer', change: 'created', developerId: 'dev_1' }, 'developer.signed_up'],
  [{ object: 'developer', change: 'suspended', developerId: 'dev_1' }, 'developer.suspended'],
  [{ object: 'key', change: 'rotated', developerId: 'dev_1' }, 'developer.key_rotated'],
  [
    { object: 'agent', change: 'created', agentId: 'ag_1', developerId: 'dev_1', changes: ['name'] },
    'agent.created',
  ],
  [
    { object: 'agent', change: 'suspended', agentId: 'ag_1', developerId: 'dev_1', changes: ['status'] },
    'agent.updated',
  ],
  [{ object: 'policy', change: 'deleted', id: 'pol_1', developerId: 'dev_1' }, 'policy.deleted'],
  [{ object: 'webhook', change: 'rotated', id: 'wh_1', developerId: 'dev_1' }, 'webhook.secret_rotated'],
  [{ object: 'signing_key', change: 'rotated', kid: 'k1' }, 'signing_key.rotated'],
];

test.each(CHANGES)('a change is one count and one line: %o', async (event, msg) => {
  harness = startHarness();
  const before = await harness.samples();
  const { object, change, ...fields } = event;
  harness.telemetry.events.adminChanged(event);
  const level = object === 'signing_key' ? 'warn' : 'info';
  expect(ownFields()).toEqual([{ level, ...fields, msg }]);
  expect(changes(before, await harness.samples())).toEqual({
    [`grantex_admin_changes_total{object="${object}",change="${change}"}`]: 1,
  });
});

test('every change that can happen has a series with 0 from the start, and no other has one', async () => {
  harness = startHarness();
  const found = [...(await harness.samples())].filter(([series]) =>
    series.startsWith('grantex_admin_changes'),
  );
  const expected = Object.entries(ADMIN_CHANGES).flatMap(([object, kinds]) =>
    kinds.map((change) => [`grantex_admin_changes_total{object="${object}",change="${change}"}`, 0]),
  );
  expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected));
});

test('the address of a request is on the lines of what a person or a key did', () => {
  harness = startHarness();
  const { events } = harness.telemetry;
  inRequest(
    'req_1',
    () => {
      events.adminChanged({ object: 'key', change: 'rotated', developerId: 'dev_1' });
      events.tokenRevoked({ tokenId: 'tok_1', grantId: 'grnt_1', agentId: 'ag_1', developerId: 'dev_1' });
      events.grantRevoked({
        grantId: 'grnt_1',
        developerId: 'dev_1',
        revokedBy: 'principal',
        cascadeCount: 0,
        revokedByAgent: new Map([['ag_1', 1]]),
      });
      const decided = { decision: 'denied', waited: 1, authRequestId: 'areq_1' } as const;
      events.consentDecided({ ...decided, agentId: 'ag_1', principalId: 'user_1', developerId: 'dev_1' });
    },
    () => '192.0.2.9',
  );
  expect(ownFields().map(({ msg, ip, developerId }) => [msg, ip, developerId])).toEqual(
    ['developer.key_rotated', 'token.revoked', 'grant.revoked', 'consent.decided'].map((msg) => [
      msg,
      '192.0.2.9',
      'dev_1',
    ]),
  );
});

test('failures: one line for an address, a count for each', async () => {
  harness = startHarness();
  const before = await harness.samples();
  const fail = () => harness.telemetry.events.authenticationFailed({ ...FAILURE, network: '192.0.2.1' });
  for (let n = 0; n < 3; n++) fail();
  expect(ownFields()).toEqual([{ level: 'warn', ...FAILURE, suppressed: 0, msg: 'auth.failed' }]);
  expect(changes(before, await harness.samples())).toEqual({
    'grantex_authentication_failures_total{credential="api_key",reason="unknown"}': 3,
  });
  harness.telemetry.events.flush();
  expect(ownFields()[1]).toEqual({ level: 'warn', ...FAILURE, suppressed: 1, msg: 'auth.failed' });
});

test('auth.forbidden names the developer whose credential the caller showed', () => {
  harness = startHarness();
  inRequest('req_1', () => {
    const scope = requestScope();
    if (scope) scope.callerId = 'dev_1';
    harness.telemetry.events.forbidden({ route: '/v1/grants/delegate', reason: 'forbidden' });
  });
  expect(ownFields()).toEqual([
    {
      level: 'warn',
      requestId: 'req_1',
      developerId: 'dev_1',
      route: '/v1/grants/delegate',
      reason: 'forbidden',
      msg: 'auth.forbidden',
    },
  ]);
});
