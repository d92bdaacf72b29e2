import { type Attributes, SpanStatusCode, trace } from '@opentelemetry/api';
import { outsideRequests } from '../request-scope.ts';
import { type BackgroundEvents, createBackgroundEvents } from './background-events.ts';
import { describeError } from './describe-error.ts';
import type {
  AnomalyDetected,
  AuthorizationRequested,
  AuthorizeDenied,
  ConsentDecided,
  GrantCreated,
  GrantIds,
  GrantRevoked,
  RateLimitHit,
  RequestFailed,
  TokenVerificationFailed,
  TokenVerified,
  WebhookAttempted,
} from './event-fields.ts';
import { createFunnel, type FunnelEvents } from './funnel.ts';
import type { Instruments } from './instruments.ts';
import type { Logger } from './logger.ts';
import { createRefusals, type RefusalEvents } from './refusals.ts';
import { actorIp, createSecurityEvents, type SecurityEvents } from './security-events.ts';

/** The moments of the domain. One call is the counter, the log line and the attributes of the active span. None ever throws. */
export interface Events extends SecurityEvents, RefusalEvents, FunnelEvents, BackgroundEvents {
  grantCreated(event: GrantCreated): void;
  grantRevoked(event: GrantRevoked): void;
  tokenExchanged(event: GrantIds): void;
  tokenRefreshed(event: GrantIds): void;
  tokenVerified(event: TokenVerified): void;
  tokenVerificationFailed(event: TokenVerificationFailed): void;
  /** Only on the span: the attempt counts it, and no line of the contract's table is for it. */
  authorizationRequested(event: AuthorizationRequested): void;
  authorizeDenied(event: AuthorizeDenied): void;
  consentDecided(event: ConsentDecided): void;
  /** One token was revoked by its id; its grant goes on. */
  tokenRevoked(event: GrantIds & { readonly tokenId: string }): void;
  /** One attempt is over; `ended` tells what was stored of it. One that failed is a log line. */
  webhookAttempted(event: WebhookAttempted): void;
  /** An anomaly was opened, and that is committed. */
  anomalyDetected(event: AnomalyDetected): void;
  rateLimitHit(event: RateLimitHit): void;
  databaseConnectionError(event: { error: string; pool: string }): void;
  /** An unexpected failure of a request: the log says what, the response does not. */
  requestFailed(event: RequestFailed): void;
  /** `metric` names the family that could not be read. */
  metricsCollectionFailed(event: { metric: string; error: unknown }): void;
}

interface Ids {
  readonly grantId?: string | undefined;
  readonly agentId?: string | undefined;
  readonly developerId?: string | undefined;
  readonly principalId?: string | undefined;
  readonly scopes?: readonly string[] | undefined;
}

/**
 * The catalogue of events (telemetry contract, "Logs", and the metrics each moves). Counter, log line and span attributes
 * are guarded one by one, so that a fault in one does not lose the others.
 * `capturePrincipal` allows `grantex.principal_id` on spans.
 */
export function createEvents(
  instruments: Instruments,
  logger: Logger,
  options: { readonly capturePrincipal: boolean },
): Events {
  const { guard } = instruments;
  const record = (ids: Ids | null, ...steps: (() => void)[]) => {
    for (const step of steps) guard.run(step);
    if (ids) guard.run(() => trace.getActiveSpan()?.setAttributes(spanAttributes(ids)));
  };
  const spanAttributes = ({ grantId, agentId, developerId, principalId, scopes }: Ids): Attributes => ({
    ...(grantId !== undefined && { 'grantex.grant_id': grantId }),
    ...(agentId !== undefined && { 'grantex.agent_id': agentId }),
    ...(developerId !== undefined && { 'grantex.developer_id': developerId }),
    ...(scopes !== undefined && { 'grantex.scopes': [...scopes] }),
    ...(options.capturePrincipal && principalId !== undefined && { 'grantex.principal_id': principalId }),
  });
  const { countRefusal, ...refusals } = createRefusals(instruments, logger);
  const { requestEnded, waited, ...funnel } = createFunnel(instruments);

  return {
    ...createSecurityEvents(instruments, logger),
    ...refusals,
    ...funnel,
    ...createBackgroundEvents(instruments, logger),
    grantCreated(event) {
      const { grantId, agentId, principalId, scopes, latencyMs, origin } = event;
      record(
        event,
        () => instruments.grantsCreated.add(1, { origin, agent_id: agentId }),
        () => logger.info({ grantId, agentId, principalId, scopes, latencyMs }, 'grant.created'),
      );
    },
    grantRevoked(event) {
      const { grantId, developerId, revokedBy, cascadeCount, revokedByAgent } = event;
      record(
        event,
        () => {
          for (const [agent_id, rows] of revokedByAgent) instruments.grantsRevoked.add(rows, { agent_id });
        },
        () => logger.info({ grantId, developerId, revokedBy, cascadeCount, ...actorIp() }, 'grant.revoked'),
      );
    },
    tokenExchanged(event) {
      const { grantId, agentId } = event;
      record(
        event,
        () => requestEnded('exchanged'),
        () => logger.info({ grantId, agentId }, 'token.exchanged'),
      );
    },
    tokenRefreshed(event) {
      const { grantId, agentId } = event;
      record(event, () => logger.info({ grantId, agentId }, 'token.refreshed'));
    },
    tokenVerified(event) {
      record(event, () => instruments.tokenVerifications.add(1, VALID));
    },
    tokenVerificationFailed({ operation, reason, tokenId, grant }) {
      record(
        grant ?? null,
        () => instruments.tokenVerifications.add(1, INVALID),
        () => countRefusal({ operation, reason }),
        () => logger.warn({ reason, tokenId }, 'token.verification_failed'),
      );
    },
    authorizationRequested(event) {
      record(event);
    },
    authorizeDenied(event) {
      const { agentId, principalId, reason } = event;
      record(
        event,
        () => requestEnded('policy_denied'),
        () => logger.warn({ agentId, principalId, reason }, 'authorize.denied'),
      );
    },
    consentDecided(event) {
      const { decision, authRequestId, agentId, principalId, developerId } = event;
      const fields = { decision, authRequestId, agentId, principalId, developerId };
      record(
        event,
        () => instruments.consentDecisions.add(1, { decision }),
        () => waited(event.waited, decision),
        () => {
          if (decision === 'denied') requestEnded('denied');
        },
        () => logger.info({ ...fields, ...actorIp() }, 'consent.decided'),
      );
    },
    tokenRevoked(event) {
      record(event, () => logger.info({ ...event, ...actorIp() }, 'token.revoked'));
    },
    webhookAttempted(event) {
      const { webhookId, agentId, url, attempt, outcome, statusCode, ended } = event;
      const failed = outcome !== '2xx';
      record(
        event,
        () => instruments.webhookAttempts.add(1, { outcome }),
        () => {
          if (ended) instruments.webhookDeliveries.add(1, { status: ended, agent_id: agentId });
        },
        () => {
          if (failed) logger.error({ webhookId, url, statusCode, attempt }, 'webhook.delivery_failed');
        },
        () => {
          const span = trace.getActiveSpan();
          if (statusCode !== null) span?.setAttribute('http.response.status_code', statusCode);
          if (!failed) return;
          span?.setAttribute('error.type', statusCode === null ? outcome : String(statusCode));
          span?.setStatus({ code: SpanStatusCode.ERROR });
        },
      );
    },
    anomalyDetected({ type, severity, agentId }) {
      record(
        null,
        () => instruments.anomaliesDetected.add(1, { type, severity, agent_id: agentId }),
        () => logger.warn({ type, severity, agentId }, 'anomaly.detected'),
      );
    },
    rateLimitHit({ ip, endpoint, retryAfter }) {
      record(
        null,
        () => instruments.rateLimited.add(1, { endpoint }),
        () => logger.warn({ ip, endpoint, retryAfter }, 'rate_limit.hit'),
      );
    },
    databaseConnectionError({ error, pool }) {
      // A connection belongs to the pool, not to the request that opened it.
      record(null, () => outsideRequests(() => logger.error({ error, pool }, 'database.connection_error')));
    },
    requestFailed({ error, method, route }) {
      record(null, () => logger.error({ method, route, error: describeError(error) }, 'request.failed'));
    },
    metricsCollectionFailed({ metric, error }) {
      record(
        null,
        () => instruments.collectionErrors.add(1),
        () => logger.warn({ metric, error: describeError(error) }, 'metrics.collection_failed'),
      );
    },
  };
}

const VALID = { result: 'valid' } as const;
const INVALID = { result: 'invalid' } as const;
