import { Type } from 'typebox';
import { ANOMALY_SEVERITIES, type AnomalyType } from '../closed-sets.ts';
import type { Deps } from '../deps.ts';
import { notFound } from '../errors.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { ok } from '../http/reply.ts';
import { Timestamp } from '../http/schemas.ts';
import { type Detection, detectAnomalies } from './detect-anomalies.ts';
import { acknowledgeAnomaly, listAnomalies } from './store.ts';

/** How far back single facts are looked at when a developer asks. */
const LOOK_BACK_MS = 24 * 60 * 60 * 1000;
/** The newest that an answer holds; `total` says how many there are. */
const MAX_LISTED = 1000;

const AnomalyView = Type.Object({
  id: Type.String(),
  type: Type.Enum(Object.keys(ANOMALY_SEVERITIES) as AnomalyType[]),
  severity: Type.Enum(['low', 'medium', 'high']),
  agentId: Type.String(),
  principalId: Type.Union([Type.String(), Type.Null()]),
  description: Type.String(),
  metadata: Type.Record(Type.String(), Type.Unknown()),
  detectedAt: Timestamp,
  acknowledgedAt: Type.Union([Timestamp, Type.Null()]),
});

export function anomalyRoutes(deps: Deps): Endpoint[] {
  /** Those who ask while a developer's agents are looked at get what comes of that. */
  const underWay = new Map<string, Promise<Detection>>();
  const detect = (developerId: string): Promise<Detection> => {
    const known = underWay.get(developerId);
    if (known) return known;
    const since = new Date(deps.clock.now() - LOOK_BACK_MS);
    const detection = detectAnomalies(deps, deps.db, { developers: [developerId] }, since).finally(() =>
      underWay.delete(developerId),
    );
    underWay.set(developerId, detection);
    return detection;
  };

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
      handle: async ({ developer }) => {
        const { detectedAt, anomalies } = await detect(developer.id);
        return ok({
          detectedAt,
          total: anomalies.length,
          anomalies: anomalies.slice(0, MAX_LISTED),
          responseMode: 'alert_only',
          autoRevokedGrants: 0,
        });
      },
    }),
    endpoint({
      method: 'get',
      path: '/v1/anomalies',
      summary: 'Anomalies, newest first, at most a thousand',
      access: 'developer',
      limit: 'api',
      query: Type.Object({ unacknowledged: Type.Optional(Type.Boolean()) }),
      responses: { 200: Type.Object({ anomalies: Type.Array(AnomalyView), total: Type.Integer() }) },
      handle: async ({ developer, query }) =>
        ok(
          await listAnomalies(deps.db, developer.id, {
            openOnly: query.unacknowledged ?? false,
            limit: MAX_LISTED,
          }),
        ),
    }),
    endpoint({
      method: 'patch',
      path: '/v1/anomalies/:id/acknowledge',
      summary: 'Say that somebody has seen to an anomaly',
      access: 'developer',
      limit: 'api',
      body: Type.Object({
        notes: Type.Optional(Type.Union([Type.String({ maxLength: 2000 }), Type.Null()])),
      }),
      responses: { 200: AnomalyView },
      handle: async ({ developer, params, body }) => {
        const anomaly = await acknowledgeAnomaly(deps.db, {
          developerId: developer.id,
          id: params['id'] ?? '',
          now: new Date(deps.clock.now()),
          notes: body.notes ?? null,
        });
        if (!anomaly) throw notFound('Anomaly');
        return ok(anomaly);
      },
    }),
  ];
}
