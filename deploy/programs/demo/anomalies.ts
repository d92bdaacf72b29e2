import { randomBytes } from 'node:crypto';
import { type Agent, type Developer, register } from './cast.ts';
import { pause } from './chance.ts';
import type { Stage } from './stage.ts';
import { delegate, type Pair, refresh } from './walk.ts';

/** The kinds of anomaly of the protocol, and at which developers the demo gives cause for each. */
export const ANOMALIES = [
  'new_principal',
  'unusual_scope_access',
  'high_failure_rate',
  'cascade_delegation',
  'rate_spike',
  'off_hours_activity',
] as const;
export type Anomaly = (typeof ANOMALIES)[number];

/** More than the 50 tokens an hour that are no spike by default. */
const SPIKE = 55;
/** Deeper than the service lets anybody delegate. */
const DEEPEST = 11;

/** A grant of a sandbox developer, where nobody needs to be asked. */
async function grant(
  { caller }: Stage,
  { key }: Developer,
  agent: Agent,
  scopes: readonly string[] = agent.scopes,
): Promise<Pair | undefined> {
  const principalId = `user_${randomBytes(4).toString('hex')}`;
  const asked = await caller.post('authorize', '/v1/authorize', key, {
    agentId: agent.id,
    principalId,
    scopes,
  });
  if (asked.body.code === undefined) return undefined;
  const exchanged = await caller.post('exchange', '/v1/token', key, {
    code: asked.body.code,
    agentId: agent.id,
  });
  return exchanged.status === 201 ? exchanged.body : undefined;
}

/**
 * Does what a rule looks for, with an agent made for it. `off_hours_activity` needs nothing but tokens, and the hour: it is
 * opened at night, or where the service's off hours are the whole day.
 */
export async function giveCause(stage: Stage, developer: Developer, anomaly: Anomaly): Promise<void> {
  const { caller, signal } = stage;
  const { key } = developer;
  const scopes = ['files:read'];
  const agent = await register(
    caller,
    key,
    `Odd one: ${anomaly}`,
    anomaly === 'unusual_scope_access' ? [] : scopes,
  );
  const pair = await grant(stage, developer, agent, scopes);
  if (!pair || anomaly === 'new_principal') return;
  if (anomaly === 'unusual_scope_access')
    return void (await grant(stage, developer, agent, ['payments:refund']));
  if (anomaly === 'high_failure_rate') {
    const entry = { agentId: agent.id, grantId: pair.grantId, action: 'files.read' };
    for (const status of ['success', 'success', 'success', 'failure', 'failure', 'blocked'])
      await caller.post('audit entry', '/v1/audit/log', key, { ...entry, status });
    return;
  }
  if (anomaly === 'cascade_delegation') {
    let lowest: Pair | undefined = pair;
    for (let depth = 1; lowest && depth <= DEEPEST; depth++)
      lowest = await delegate(stage, developer, scopes, lowest);
    return;
  }
  let current: Pair | undefined = pair;
  const tokens = anomaly === 'rate_spike' ? SPIKE : 12;
  for (let issued = 1; current && issued < tokens && !signal.aborted; issued++) {
    current = await refresh(stage, developer, agent, current);
    await pause(20, signal);
  }
}

/** Somebody looks at the open anomalies of a developer and has seen to the oldest half of them. */
export async function acknowledgeSome({ caller }: Stage, { key }: Developer): Promise<void> {
  const { body } = await caller.send('look', '/v1/anomalies?unacknowledged=true', { key });
  const open: { id: string }[] = body.anomalies ?? [];
  for (const { id } of open.slice(Math.ceil(open.length / 2)).slice(0, 10))
    await caller.send('acknowledge', `/v1/anomalies/${id}/acknowledge`, {
      method: 'PATCH',
      key,
      body: { notes: 'Seen by the demo' },
    });
}
