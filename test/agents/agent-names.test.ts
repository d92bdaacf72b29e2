import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

let service: TestService;
let party: Party;
beforeAll(async () => {
  service = await startService({ env: { METRICS_AGENT_NAMES: 'true', METRICS_AGENT_LIMIT: '2' } });
  party = await newParty(service);
});
afterAll(() => service.stop());

const infos = async () => (await service.scrape()).labelSets('grantex_agent_info');
/** The reading is at most some seconds old. */
const until = (names: readonly string[]) =>
  waitFor(async () => {
    const found = (await infos()).map(({ agent_name: name }) => name).sort();
    return JSON.stringify(found) === JSON.stringify([...names].sort()) || undefined;
  });

test('agents that have series of their own, under their present names, each once', async () => {
  const long = `Bot ${'😀'.repeat(50)}${'x'.repeat(80)}`;
  const named = await party.newAgent({ name: long });
  for (const agentId of [named, party.agentId, await party.newAgent({ name: 'Beyond the limit' })])
    await party.grant({ agentId });
  const short = [...long].slice(0, 100).join('');
  await until([short, 'Agent']);
  const { developerId } = party;
  expect(await infos()).toEqual(
    expect.arrayContaining([
      { agent_id: party.agentId, agent_name: 'Agent', developer_id: developerId },
      { agent_id: named, agent_name: short, developer_id: developerId },
    ]),
  );
  expect((await service.scrape()).sum('grantex_agent_info')).toBe(2);

  await service.request('PATCH', `/v1/agents/${named}`, { key: party.key, body: { name: 'Renamed' } });
  await until(['Renamed', 'Agent']);
  await service.request('DELETE', `/v1/agents/${named}`, { key: party.key });
  await until(['Agent']);
});
