import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

let service: TestService;
let party: Party;
beforeAll(async () => {
  service = await startService();
  party = await newParty(service);
});
afterAll(() => service.stop());

const decide = (id: string, verb: string) => service.request('POST', `/v1/consent/${id}/${verb}`);

test('every request has one end or is open, and the wait of people is measured', async () => {
  const { sql } = service.database;
  await party.grant();
  const sandbox = await newParty(service, 'sandbox');
  await sandbox.exchange((await sandbox.authorize()).code ?? '');
  const denied = await party.authorize();
  await sql`update authorization_requests set created_at = created_at - interval '20 s' where id = ${denied.authRequestId}`;
  await decide(denied.authRequestId, 'deny');
  await service.request('POST', '/v1/policies', {
    key: party.key,
    body: { name: 'No', effect: 'deny', principalId: 'user_denied' },
  });
  const policy = await service.request('POST', '/v1/authorize', {
    key: party.key,
    body: { agentId: party.agentId, principalId: 'user_denied', scopes: ['calendar:read'] },
  });
  expect(policy.status).toBe(403);
  const undecided = await party.authorize();
  const unused = await party.authorize();
  await decide(unused.authRequestId, 'approve');
  await party.authorize();
  await party.consent();

  await sql`update tallies set horizon = now() - interval '1 hour' where name like 'requests_expired_%'`;
  await sql`update authorization_requests set expires_at = now() - interval '10 minutes',
    code_expires_at = case when code_expires_at is not null then now() - interval '10 minutes' end
    where id in (${undecided.authRequestId}, ${unused.authRequestId})`;
  const ends = async () => {
    const scrape = await service.scrape();
    return Object.fromEntries(
      scrape
        .labelSets('grantex_authorization_requests_ended_total')
        .map((labels) => [labels['end'], scrape.value('grantex_authorization_requests_ended_total', labels)]),
    );
  };
  const found = await waitFor(async () => {
    const now = await ends();
    return now['expired_undecided'] === 1 ? now : undefined;
  });
  expect(found).toEqual({
    exchanged: 2,
    denied: 1,
    expired_undecided: 1,
    expired_unused: 1,
    policy_denied: 1,
  });

  const scrape = await service.scrape();
  const made =
    (scrape.value('grantex_authorize_total', { status: 'success' }) ?? 0) +
    (scrape.value('grantex_authorize_total', { status: 'denied' }) ?? 0);
  const [{ open } = { open: -1 }] = await sql<
    { open: number }[]
  >`select count(*)::int as open from authorization_requests
    where exchanged_at is null and status <> 'denied' and greatest(expires_at, code_expires_at) > now()`;
  expect(open).toBe(2);
  expect(made).toBe(6 + open);

  const waited = (suffix: string, labels: Record<string, string>) =>
    scrape.value(`grantex_consent_wait_seconds_${suffix}`, labels);
  expect(waited('count', { decision: 'approved' })).toBe(3);
  expect(waited('bucket', { decision: 'denied', le: '10' })).toBe(0);
  expect(waited('count', { decision: 'denied' })).toBe(1);
  expect(waited('sum', { decision: 'denied' })).toBeGreaterThanOrEqual(20);
});
