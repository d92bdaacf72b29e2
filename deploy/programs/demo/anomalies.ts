import { randomBytes } from 'node:crypto';
import { delegate, type IssuedTokens, refresh } from './agent-flow.ts';
import type { DemoContext } from './context.ts';
import { type Agent, type Developer, register } from './developers.ts';
import { pause } from './pacing.ts';

/** The anomaly types of the protocol. */
export const ANOMALIES = [
  'new_principal',
  'unusual_scope_access',
  'high_failure_rate',
  'cascade_delegation',
  'rate_spike',
  'off_hours_activity',
] as const;
export type Anomaly = (typeof ANOMALIES)[number];

/** By default, more than 50 tokens an hour are a spike. */
const SPIKE_TOKENS = 55;
/** One level deeper than the service allows. */
const TOO_DEEP = 11;

/** A grant of a sandbox developer. It needs no decision of a person. */
async function sandboxGrant(
  { caller }: DemoContext,
  { key }: Developer,
  agent: Agent,
  scopes: readonly string[] = agent.scopes,
): Promise<IssuedTokens | undefined> {
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
 * Does what the rule of an anomaly looks for, with a new agent. For `off_hours_activity` it only issues tokens: the
 * service opens that anomaly at night, or at any time if its off hours are the whole day.
 */
export async function triggerAnomaly(
  context: DemoContext,
  developer: Developer,
  anomaly: Anomaly,
): Promise<void> {
  const { caller, signal } = context;
  const { key } = developer;
  const scopes = ['files:read'];
  const agent = await register(
    caller,
    key,
    `Odd one: ${anomaly}`,
    anomaly === 'unusual_scope_access' ? [] : scopes,
  );
  const tokens = await sandboxGrant(context, developer, agent, scopes);
  if (!tokens || anomaly === 'new_principal') return;
  if (anomaly === 'unusual_scope_access')
    return void (await sandboxGrant(context, developer, agent, ['payments:refund']));
  if (anomaly === 'high_failure_rate') {
    const entry = { agentId: agent.id, grantId: tokens.grantId, action: 'files.read' };
    for (const status of ['success', 'success', 'success', 'failure', 'failure', 'blocked'])
      await caller.post('audit entry', '/v1/audit/log', key, { ...entry, status });
    return;
  }
  if (anomaly === 'cascade_delegation') {
    let lowest: IssuedTokens | undefined = tokens;
    for (let depth = 1; lowest && depth <= TOO_DEEP; depth++)
      lowest = await delegate(context, developer, scopes, lowest);
    return;
  }
  let current: IssuedTokens | undefined = tokens;
  const wanted = anomaly === 'rate_spike' ? SPIKE_TOKENS : 12;
  for (let issued = 1; current && issued < wanted && !signal.aborted; issued++) {
    current = await refresh(context, developer, agent, current);
    await pause(20, signal);
  }
}

/** Acknowledges the older half of a developer's open anomalies, ten at most. */
export async function acknowledgeOlderHalf({ caller }: DemoContext, { key }: Developer): Promise<void> {
  const { body } = await caller.send('look', '/v1/anomalies?unacknowledged=true', { key });
  const open: { id: string }[] = body.anomalies ?? [];
  for (const { id } of open.slice(Math.ceil(open.length / 2)).slice(0, 10))
    await caller.send('acknowledge', `/v1/anomalies/${id}/acknowledge`, {
      method: 'PATCH',
      key,
      body: { notes: 'Seen by the demo' },
    });
}
