import { expect } from 'vitest';
import { type TestService, waitFor } from '../../support/service.ts';
import { at, which } from '../at.ts';
import { principalId } from '../given.ts';
import type { Model } from '../model.ts';
import type { Real } from '../real.ts';

/** So far back single facts are looked at; what is older may have been missed while time was made to pass. */
const LOOK_BACK = 23 * 60 * 60;
/** Next to the limit of three levels, and at it. */
const DEEP = 2;

/** Found in rows as soon as the grant is there. What rests on refused exchanges is found a second or two after them. */
const AT_ONCE = ['new_principal', 'cascade_delegation'];

/** `type agent principal`, as it stands in a row and as the model has it. */
const nameOf = (type: string, agentId: string, principal: string) => `${type} ${agentId} ${principal}`;

function expected(model: Model, real: Real, wanted: (grant: number) => boolean): Set<string> {
  const names = new Set<string>();
  for (const grant of which(model.grants)) {
    const { agent, principal, depth } = at(model.grants, grant);
    if (!wanted(grant)) continue;
    const who = [real.agent(agent), principalId(principal)] as const;
    const first = model.grants.findIndex((one) => one.agent === agent && one.principal === principal);
    if (first === grant) names.add(nameOf('new_principal', ...who));
    if (depth >= DEEP) names.add(nameOf('cascade_delegation', ...who));
  }
  return names;
}

const detectAll = (real: Real) =>
  Promise.all(
    real.given.developers.map((_, developer) => real.ask(developer, 'POST', '/v1/anomalies/detect')),
  );

async function rowsOf(real: Real): Promise<string[]> {
  const developers = real.given.developers.map(({ id }) => id);
  const rows = await real.service.database.sql<{ type: string; agent: string; principal: string }[]>`
    select type, agent_id as agent, principal_id as principal from anomalies
    where developer_id = any(${developers}) and type = any(${AT_ONCE})`;
  return rows.map(({ type, agent, principal }) => nameOf(type, agent, principal)).sort();
}

/**
 * Looked for now, everything is found that the model's grants give cause for, once, and nothing that they do not. The other
 * rules are about times, or about figures that a run seldom reaches.
 */
export async function compareAnomalies(model: Model, real: Real): Promise<void> {
  await detectAll(real);
  const seen = await rowsOf(real);
  expect(seen).toEqual([...new Set(seen)]);
  const caused = expected(model, real, () => true);
  expect(seen.filter((name) => !caused.has(name))).toEqual([]);
  const isFresh = (grant: number) => {
    const { agent, since } = at(model.grants, grant);
    return model.agents[agent]?.status !== 'deleted' && since > model.now - LOOK_BACK;
  };
  expect([...expected(model, real, isFresh)].filter((name) => !seen.includes(name))).toEqual([]);
}

/** What somebody has seen to is not open any more, and opens nothing again. */
export async function compareAcknowledged(real: Real): Promise<void> {
  const before = await rowsOf(real);
  for (const developer of which(real.given.developers)) {
    const open = async (): Promise<{ id: string; type: string }[]> =>
      (await real.ask(developer, 'GET', '/v1/anomalies?unacknowledged=true')).body.anomalies;
    const seen = (await open()).map(({ id }) => id);
    for (const id of seen)
      expect((await real.ask(developer, 'PATCH', `/v1/anomalies/${id}/acknowledge`)).status).toBe(200);
    expect((await open()).filter(({ id, type }) => seen.includes(id) || AT_ONCE.includes(type))).toEqual([]);
  }
  await detectAll(real);
  expect(await rowsOf(real)).toEqual(before);
}

/** Anomalies opened = rows, by type, on the counters as in the database; and so many wait for somebody. */
export async function compareOpened(service: TestService): Promise<void> {
  await waitFor(async () => {
    const rows = await service.database.sql<{ type: string; severity: string; total: number }[]>`
      select type, severity, count(*)::int as total from anomalies group by type, severity`;
    const scrape = await service.scrape();
    const counted = scrape
      .labelSets('grantex_anomalies_detected_total')
      .map((labels) => [labels['type'], scrape.value('grantex_anomalies_detected_total', labels)])
      .filter(([, value]) => value !== 0);
    const inRows = rows.map(({ type, total }) => [type, total]);
    const [open] = await service.database.sql`
      select count(*)::int as waiting from anomalies where acknowledged_at is null`;
    const waiting = Number(open?.['waiting']);
    const same = JSON.stringify(counted.sort()) === JSON.stringify(inRows.sort());
    return (
      (same && rows.length > 1 && scrape.value('grantex_anomalies_unacknowledged') === waiting) || undefined
    );
  });
}
