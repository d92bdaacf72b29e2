/** One attribute that the service emits under a name of its own. */
export interface OwnAttribute {
  readonly name: string;
  readonly on: 'span' | 'metric' | 'log';
  readonly type: 'string' | 'string[]' | 'number' | 'string or map';
  readonly brief: string;
}

const own =
  (on: OwnAttribute['on'], type: OwnAttribute['type']) =>
  ([name, brief]: readonly [string, string]): OwnAttribute => ({ name, on, type, brief });

/**
 * Every attribute name of spans, labels of metrics and fields of log lines that is not in the stable semantic conventions
 * of OpenTelemetry. A name is registered here before it is used: a test compares what is really sent with this list and
 * with those conventions.
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
    ] as const
  ).map(own('span', 'string')),
  ...([['grantex.scopes', 'Scopes that were asked for or granted.']] as const).map(own('span', 'string[]')),
  ...(
    [
      ['status', 'How an attempt or a delivery ended.'],
      ['method', 'HTTP verb, or `_OTHER`.'],
      ['route', 'Template of the path, or `unmatched`.'],
      ['status_code', 'HTTP status of the answer.'],
      ['result', 'Whether a verified token was valid.'],
      ['origin', 'What made a grant: consent or delegation.'],
      ['decision', 'What a principal decided.'],
      ['outcome', 'How an attempt to deliver a webhook, or a call of Redis, ended.'],
      ['type', 'Type of an anomaly.'],
      ['severity', 'Severity of an anomaly.'],
      ['endpoint', 'Name of a rate limiter.'],
      ['agent_id', 'Agent, or `other` beyond METRICS_AGENT_LIMIT.'],
      ['signal', 'What was dropped: traces or logs.'],
      ['pool', 'Pool of database connections that is waited for: main, side or background.'],
      ['by', 'What ended a database statement before its time.'],
      ['db.client.connection.pool.name', 'Pool of database connections; in development upstream.'],
      ['db.client.connection.state', 'idle or used; in development upstream.'],
      ['nodejs.eventloop.state', 'active or idle; in development upstream.'],
      ['v8js.gc.type', 'Kind of garbage collection; in development upstream.'],
      ['v8js.heap.space.name', 'Space of the heap; in development upstream.'],
    ] as const
  ).map(own('metric', 'string')),
  ...(
    [
      ['requestId', 'Header x-request-id of the request.'],
      ['grantId', 'Grant that the event is about.'],
      ['agentId', 'Agent that the event is about.'],
      ['principalId', 'Principal that the event is about.'],
      ['decision', 'What a principal decided.'],
      ['revokedBy', 'Who brought a revocation about.'],
      ['reason', 'Why something was refused or failed; a closed set, an id or an error of our own.'],
      ['tokenId', '`jti` of a token that was not valid.'],
      ['webhookId', 'Webhook that was delivered to.'],
      ['url', 'Where to, without query string; or where the service listens.'],
      ['type', 'Type of an anomaly.'],
      ['severity', 'Severity of an anomaly.'],
      ['ip', 'Address of a caller over its limit.'],
      ['endpoint', 'Name of a rate limiter.'],
      ['pool', 'Pool of database connections.'],
      ['method', 'HTTP verb of a request that failed.'],
      ['route', 'Template of its path.'],
      ['metric', 'Family that could not be read.'],
      ['step', 'Work on webhooks that failed and is repeated.'],
      ['store', 'Where rate limits are counted.'],
      ['signal', 'Signal that began the shutdown.'],
      ['line', 'What the embedded PostgreSQL said.'],
      ['message', 'What OpenTelemetry said of itself; on standard output only.'],
    ] as const
  ).map(own('log', 'string')),
  ...(
    [
      ['scopes', 'Scopes of a new grant.'],
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
      ['seconds', 'How long Redis was away.'],
      ['countedInMemory', 'Requests whose limits this replica counted for itself meanwhile.'],
      ['metricsPort', 'Port of /metrics; absent when there is none.'],
      ['suppressed', 'Messages of OpenTelemetry of this kind that the line stands for besides.'],
    ] as const
  ).map(own('log', 'number')),
  own('log', 'string or map')(['error', 'Code of a failure, or its type and where it happened.']),
];
