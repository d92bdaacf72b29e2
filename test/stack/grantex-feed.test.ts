import { afterAll, beforeAll, expect, test } from 'vitest';
import { printTable } from '../load/table.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';
import { issuerOf, type PythonClients, startPythonClients } from './foreign/clients.ts';

const SCOPE = { scopes: ['tool:calendar:read'] };
/** After so many seconds without a word from the feed, the client denies everything. */
const STALE_AFTER = 3;

let database: TestDatabase;
let service: TestService;
let party: Party;
let clients: PythonClients;
beforeAll(async () => {
  database = await createTestDatabase();
  service = await startService({ database });
  party = await newParty(service);
  clients = await startPythonClients(issuerOf(service), party.key);
});
afterAll(async () => {
  await clients?.stop();
  await service?.stop();
  await database?.drop();
});

const revoke = (grantId: string) => service.request('DELETE', `/v1/grants/${grantId}`, { key: party.key });
const setStatus = (agentId: string, status: 'active' | 'suspended') =>
  service.request('PATCH', `/v1/agents/${agentId}`, { key: party.key, body: { status } });

test.each(['stream', 'poll'])(
  'a client that verifies offline follows the feed by %s: revoked, cascade, suspended and resumed, and a service that is gone',
  async (transport) => {
    const settings = {
      revocation_check: 'feed',
      revocation_feed_transport: transport,
      revocation_feed_stale_after: STALE_AFTER,
    };
    const says = (token: string, allowed: boolean, detail: string | null) =>
      waitFor(async () => {
        const said = await clients.enforce(settings, token);
        return (said.allowed === allowed && said.detail === detail) || undefined;
      });
    const agentId = await party.newAgent();
    const lasting = await party.grant(SCOPE);
    const single = await party.grant(SCOPE);
    const parent = await party.grant(SCOPE);
    const child = await party.delegate(parent.grantToken, SCOPE);
    const suspended = await party.grant({ ...SCOPE, agentId });
    for (const { grantToken } of [lasting, single, parent, child, suspended])
      await says(grantToken, true, null);

    const begun = performance.now();
    await revoke(single.grantId);
    await says(single.grantToken, false, 'revoked');
    const seen = performance.now() - begun;
    await revoke(parent.grantId);
    await says(child.grantToken, false, 'revoked');
    await setStatus(agentId, 'suspended');
    await says(suspended.grantToken, false, 'suspended');
    await setStatus(agentId, 'active');
    await says(suspended.grantToken, true, null);
    expect(await clients.enforce(settings, lasting.grantToken)).toMatchObject({ allowed: true });

    const { port } = new URL(service.url);
    expect(await service.stop()).toBe(0);
    const gone = performance.now();
    const stale = await waitFor(async () => {
      const said = await clients.enforce(settings, lasting.grantToken);
      return said.allowed ? undefined : said;
    });
    expect(stale.detail).toMatch(/^feed_(stale|unavailable)$/);
    const denied = performance.now() - gone;
    service = await startService({ database, env: { PORT: port } });
    const back = performance.now();
    await says(lasting.grantToken, true, null);
    expect(await clients.enforce(settings, single.grantToken)).toMatchObject({ detail: 'revoked' });
    printTable(`grantex by ${transport}`, [
      {
        'revocation seen after ms': Math.round(seen),
        'denied after ms without the service': Math.round(denied),
        'allowed again after ms': Math.round(performance.now() - back),
      },
    ]);
  },
);
