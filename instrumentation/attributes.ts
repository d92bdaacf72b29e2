import { exposedLabels } from '../src/telemetry/families/family.ts';
import { FAMILIES } from '../src/telemetry/families.ts';

/** One attribute whose name is not of the semantic conventions. */
export interface OwnAttribute {
  readonly name: string;
  readonly on: 'span' | 'metric' | 'log';
  readonly type: 'string' | 'string[]' | 'number' | 'string or map';
  readonly brief: string;
}

const own =
  (on: OwnAttribute['on'], type: OwnAttribute['type']) =>
  ([name, brief]: readonly [string, string]): OwnAttribute => ({ name, on, type, brief });

/** The labels of the catalogue that are not standard, each with its meaning in every family. */
function ownLabels(): ReadonlyMap<string, string> {
  const labels = FAMILIES.flatMap((family) => exposedLabels(family));
  const texts = new Map([['agent_id', new Set(['Agent, or `other` beyond METRICS_AGENT_LIMIT.'])]]);
  for (const { name, text, standard } of labels)
    if (!standard) texts.set(name, (texts.get(name) ?? new Set()).add(text));
  return new Map(Array.from(texts, ([name, its]) => [name, [...its].join(' ')]));
}

/**
 * Every name that is not in the stable semantic conventions of OpenTelemetry: attributes of spans, fields of log lines, and
 * the labels of metrics, which follow from the catalogue. Register a name here before you use it: a test compares what is
 * really sent with this list and with those conventions.
 */
export const OWN_ATTRIBUTES: readonly OwnAttribute[] = [
  ...(
    [
      ['grantex.agent_id', 'Agent that the act is about.'],
      ['grantex.grant_id', 'Grant that the act is about.'],
      ['grantex.developer_id', 'Developer whose key was used.'],
      ['grantex.principal_id', 'Principal; only with OTEL_CAPTURE_PRINCIPAL=true.'],
      ['grantex.statement', 'Name of the SQL statement in the code.'],
      ['grantex.webhook_id', 'Webhook that is delivered to.'],
      ['grantex.event_id', 'Event that is delivered.'],
      ['grantex.event_type', 'Type of that event.'],
      ['grantex.refusal_reason', 'Why the request was refused, in the words of grantex_refusals_total.'],
    ] as const
  ).map(own('span', 'string')),
  ...([['grantex.scopes', 'Scopes that were asked for or granted.']] as const).map(own('span', 'string[]')),
  ...Array.from(ownLabels(), (label) => own('metric', 'string')(label)),
  ...(
    [
      ['requestId', 'Header x-request-id of the request.'],
      ['grantId', 'Grant that the event is about.'],
      ['agentId', 'Agent that the event is about.'],
      ['principalId', 'Principal that the event is about.'],
      ['decision', 'What a principal decided.'],
      ['revokedBy', 'Who brought a revocation about.'],
      ['reason', 'Why something was refused or failed; a closed set, an id or an error of our own.'],
      ['tokenId', '`jti` of a token that was revoked or is not valid.'],
      ['developerId', 'Developer that the event is about.'],
      ['authRequestId', 'Request that a principal decided; by then it opens nothing.'],
      ['id', 'Policy or webhook that was changed.'],
      ['kid', 'Signing key that was made or began to sign.'],
      ['credential', 'What a caller showed to be let in; a closed set.'],
      ['operation', 'What a refused request asked for; a closed set.'],
      ['expiresAt', 'When a session of a principal ends.'],
      ['webhookId', 'Webhook that was delivered to.'],
      ['url', 'Where to, without query string; or where the service listens.'],
      ['type', 'Type of an anomaly.'],
      ['severity', 'Severity of an anomaly.'],
      ['ip', 'Address of the caller.'],
      ['endpoint', 'Name of a rate limiter.'],
      ['pool', 'Pool of database connections.'],
      ['method', 'HTTP verb of a request that failed.'],
      ['route', 'Template of its path.'],
      ['metric', 'Family that could not be read.'],
      ['step', 'Work on webhooks that failed and is repeated.'],
      ['work', 'Work of the background that failed and is repeated; a closed set.'],
      ['store', 'Where rate limits are counted.'],
      ['signal', 'Signal that began the shutdown; or traces, logs or metrics, whose export is told of.'],
      ['line', 'What the embedded PostgreSQL said.'],
      ['message', 'What OpenTelemetry said of itself; on standard output only.'],
    ] as const
  ).map(own('log', 'string')),
  ...(
    [
      ['scopes', 'Scopes of a new grant.'],
      ['changes', 'Members of an agent that were changed, without their values.'],
      ['faults', 'Variables that cannot be used.'],
    ] as const
  ).map(own('log', 'string[]')),
  ...(
    [
      ['latencyMs', 'From the request to the stored grant, milliseconds.'],
      ['cascadeCount', 'Grants that fell beside the named one.'],
      ['statusCode', 'HTTP status that a receiver answered; null: none.'],
      ['attempt', 'Number of the attempt, from 1.'],
      ['retryAfter', 'Seconds until the limit allows more.'],
      ['seconds', 'How long Redis was away, or an export failed.'],
      ['lost', 'Spans, log lines or points of metrics that did not arrive.'],
      ['countedInMemory', 'Requests whose limits this replica counted for itself meanwhile.'],
      ['metricsPort', 'Port of /metrics; absent when there is none.'],
      ['suppressed', 'Lines of this kind that the line stands for besides.'],
    ] as const
  ).map(own('log', 'number')),
  own('log', 'string or map')(['error', 'Code of a failure, or its type and where it happened.']),
];
