/**
 * Anomalies: unusual behaviour of agents, for people to review.
 * Tables: `anomalies`, `failed_exchanges`, `anomaly_scan`.
 * Other rooms report the activity of agents through `AgentActivity`. `watch.ts` examines that activity in the
 * background.
 */
import { Type } from 'typebox';
import type { Deps } from '../deps.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { ok } from '../http/reply.ts';
import { orNull, Timestamp } from '../http/schemas.ts';
import { ANOMALY_SEVERITIES, type AnomalyType } from '../label-values.ts';
import type { DetectDeps } from './detect-anomalies.ts';
import { acknowledgeAnomaly, detectNow, MAX_LISTED, ownAnomalies } from './manage-anomalies.ts';

const AnomalyView = Type.Object({
  id: Type.String(),
  type: Type.Enum(Object.keys(ANOMALY_SEVERITIES) as AnomalyType[]),
  severity: Type.Enum(['low', 'medium', 'high']),
  agentId: Type.String(),
  principalId: orNull(Type.String()),
  description: Type.String(),
  metadata: Type.Record(Type.String(), Type.Unknown()),
  detectedAt: Timestamp,
  acknowledgedAt: orNull(Timestamp),
});

export function anomalyRoutes(routeDeps: DetectDeps & Pick<Deps, 'db'>): Endpoint[] {
  const deps = { ...routeDeps, underWay: new Map() };
  return [
    endpoint({
      method: 'post',
      path: '/v1/anomalies/detect',
      summary: 'Look for anomalies now; nothing is revoked by it',
      access: 'developer',
      limit: 'api',
      responses: {
        200: Type.Object({
          detectedAt: Timestamp,
          total: Type.Integer(),
          anomalies: Type.Array(AnomalyView),
          responseMode: Type.Literal('alert_only'),
          autoRevokedGrants: Type.Literal(0),
        }),
      },
      handle: async ({ caller }) =>
        ok(await detectNow(deps, caller), ({ detectedAt, anomalies }) => ({
          detectedAt,
          total: anomalies.length,
          anomalies: anomalies.slice(0, MAX_LISTED),
          responseMode: 'alert_only',
          autoRevokedGrants: 0,
        })),
    }),
    endpoint({
      method: 'get',
      path: '/v1/anomalies',
      large: true,
      summary: 'Anomalies, newest first, at most a thousand',
      access: 'developer',
      limit: 'api',
      query: Type.Object({ unacknowledged: Type.Optional(Type.Boolean()) }),
      responses: { 200: Type.Object({ anomalies: Type.Array(AnomalyView), total: Type.Integer() }) },
      handle: async ({ caller, query }) =>
        ok(await ownAnomalies(deps, caller, { openOnly: query.unacknowledged ?? false })),
    }),
    endpoint({
      method: 'patch',
      path: '/v1/anomalies/:id/acknowledge',
      summary: 'Acknowledge an anomaly',
      access: 'developer',
      limit: 'api',
      body: Type.Object({
        notes: Type.Optional(orNull(Type.String({ maxLength: 2000 }))),
      }),
      responses: { 200: AnomalyView },
      handle: async ({ caller, params, body }) =>
        ok(await acknowledgeAnomaly(deps, caller, { id: params['id'] ?? '', notes: body.notes ?? null })),
    }),
  ];
}
