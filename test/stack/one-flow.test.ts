import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { npmOutput } from '../support/command.ts';
import { expectReconciled } from '../support/reconcile.ts';
import { type TestService, waitFor } from '../support/service.ts';
import { type Receiver, startReceiver } from '../webhooks/receiver.ts';
import { deliveriesOfTheFlow } from './pipeline/deliveries-of-the-flow.ts';
import { type Flow, runFlow } from './pipeline/flow.ts';
import type { StoredSpan } from './pipeline/jaeger.ts';
import { type Pipeline, startPipeline } from './pipeline/pipeline.ts';
import { requestsOfTheFlow } from './pipeline/requests-of-the-flow.ts';
import { treesOf } from './pipeline/tree.ts';
import { AGES, VALUES_OF_THE_FLOW } from './pipeline/values-of-the-flow.ts';

const DELIVERIES = deliveriesOfTheFlow().length;

let pipeline: Pipeline;
let receiver: Receiver;
let service: TestService;
let flow: Flow;
/** The traces that begin with a request of the flow, in the order of the flow. */
let requests: StoredSpan[][];
let deliveries: StoredSpan[][];

const rootOf = (spans: readonly StoredSpan[]) => spans.find(({ parentSpanId }) => parentSpanId === undefined);
/** The probe and Prometheus also send requests to the service. */
const isOfTheFlow = (spans: readonly StoredSpan[]) => !rootOf(spans)?.name.startsWith('GET /health');
const isRequest = (spans: readonly StoredSpan[]) => rootOf(spans)?.attributes['span.kind'] === 'server';
const isDelivery = (spans: readonly StoredSpan[]) => rootOf(spans)?.name === 'grantex.webhook.deliver';
const byStart = (a: readonly StoredSpan[], b: readonly StoredSpan[]) =>
  (rootOf(a)?.start ?? 0) - (rootOf(b)?.start ?? 0);

beforeAll(async () => {
  pipeline = await startPipeline('otel-collector', 'jaeger', 'prometheus', 'blackbox');
  receiver = await startReceiver();
  service = await pipeline.startService({ OTEL_BSP_SCHEDULE_DELAY: '200' });
  flow = await runFlow(service, receiver.url);
  await receiver.until(DELIVERIES);
  const traces = await waitFor(async () => {
    const found = (await pipeline.jaeger.traces('grantex-auth')).filter(isOfTheFlow);
    const complete = requestsOfTheFlow().length <= found.filter(isRequest).length;
    return complete && found.filter(isDelivery).length === DELIVERIES ? found : undefined;
  }, 60_000);
  requests = traces.filter(isRequest).sort(byStart);
  deliveries = traces.filter(isDelivery).sort(byStart);
});
afterAll(async () => {
  await service?.stop();
  await receiver?.close();
  await pipeline?.stop();
});

function rename(value: unknown): unknown {
  const [name] = Object.entries(flow.ids).find(([, id]) => id === value) ?? [];
  return name ?? value;
}

describe('in Jaeger', () => {
  test('each request is one trace with exactly these spans, edges, status and attributes', () => {
    expect(requests.map((spans) => treesOf(spans, rename))).toEqual(
      requestsOfTheFlow().map((tree) => [tree]),
    );
  });

  test('each delivery of a webhook is a trace of its own, linked to the act that caused it', () => {
    const acts = new Map(requests.flat().map(({ traceId, spanId, name }) => [`${traceId}/${spanId}`, name]));
    const seen = deliveries.map((spans) => {
      const [root, ...others] = spans;
      const { 'grantex.event_id': event, ...attributes } = treesOf(spans, rename)[0]?.attributes ?? {};
      expect(others).toEqual([]);
      expect(event).toMatch(/^evt_/);
      return {
        causes: root?.links.map(({ traceId, spanId }) => acts.get(`${traceId}/${spanId}`)),
        attributes,
      };
    });
    const sorted = (list: readonly object[]) => list.map((one) => JSON.stringify(one)).sort();
    const normal = (list: readonly { causes: unknown; attributes: Record<string, unknown> }[]) =>
      sorted(
        list.map(({ causes, attributes }) => ({ causes, attributes: Object.entries(attributes).sort() })),
      );
    expect(normal(seen)).toEqual(normal(deliveriesOfTheFlow()));
  });

  test('nothing else is sent: what begins with no request is the signing key, deliveries and looks for anomalies', async () => {
    const others = (await pipeline.jaeger.traces('grantex-auth'))
      .filter((spans) => !isRequest(spans) && !isDelivery(spans))
      .map((spans) => rootOf(spans)?.name ?? '');
    const known =
      /^(grantex\.anomaly\.detect|BEGIN|COMMIT|(LOCK|SELECT|INSERT|UPDATE) (revoked_)?signing_keys)$/;
    expect(others.filter((name) => !known.test(name))).toEqual([]);
  });

  test('every span says who sent it', () => {
    const {
      'service.name': name,
      'service.version': version,
      'service.instance.id': instance,
    } = requests[0]?.[0]?.resource ?? {};
    expect([name, version, instance]).toEqual([
      'grantex-auth',
      expect.stringMatching(/^\d/),
      expect.any(String),
    ]);
    const senders = [...requests, ...deliveries]
      .flat()
      .map(({ resource }) => resource['service.instance.id']);
    expect(new Set(senders)).toEqual(new Set([instance]));
  });
});

describe('at the end of the log pipeline', () => {
  test('every line of standard output has come, with severity, time, fields and the trace that Jaeger has', async () => {
    // Requests of the probe cause no lines. The detection of anomalies may add lines meanwhile.
    const lines = [...service.logs];
    const records = await waitFor(() =>
      pipeline.logs.records.length >= lines.length ? pipeline.logs.records : undefined,
    );
    const SEVERITY: Record<string, number> = { trace: 1, debug: 5, info: 9, warn: 13, error: 17, fatal: 21 };
    const comparable = lines.map(
      ({ level, msg, timestamp, trace_id, span_id, trace_flags: _, ...fields }) => ({
        event: msg,
        severityText: level,
        severityNumber: SEVERITY[level],
        timeUnixNano: `${Date.parse(String(timestamp))}000000`,
        traceId: trace_id ?? '',
        spanId: span_id ?? '',
        attributes: fields,
      }),
    );
    expect(
      records
        .slice(0, lines.length)
        .map(({ event, severityText, severityNumber, timeUnixNano, ...record }) => ({
          event,
          severityText,
          severityNumber,
          timeUnixNano,
          traceId: record.traceId ?? '',
          spanId: record.spanId ?? '',
          attributes: record.attributes,
        })),
    ).toEqual(comparable);

    const names = new Map(
      requests.flat().map(({ traceId, spanId, name }) => [`${traceId}/${spanId}`, name] as const),
    );
    const where = records.map(({ event, severityText, traceId, spanId }) => [
      event,
      severityText,
      names.get(`${traceId}/${spanId}`),
    ]);
    expect(
      where.filter(([event]) => !/^(service|signing_key|anomaly|rate_limits|webhook)\./.test(String(event))),
    ).toEqual([
      ['developer.signed_up', 'info', 'POST /v1/signup'],
      ['agent.created', 'info', 'POST /v1/agents'],
      ['agent.created', 'info', 'POST /v1/agents'],
      ['consent.decided', 'info', 'POST /v1/consent/:id/approve'],
      ['grant.created', 'info', 'grantex.token.exchange'],
      ['token.exchanged', 'info', 'grantex.token.exchange'],
      ['token.refreshed', 'info', 'grantex.token.refresh'],
      ['grant.created', 'info', 'grantex.grant.delegate'],
      ['grant.revoked', 'info', 'grantex.grant.revoke'],
      ['token.verification_failed', 'warn', 'grantex.token.verify'],
      ['request.refused', 'warn', 'POST /v1/token'],
    ]);
    // The traces, the lines and the scrape have the same sender.
    const sender = requests[0]?.[0]?.resource['service.instance.id'];
    expect(new Set(records.map(({ resource }) => resource['service.instance.id']))).toEqual(
      new Set([sender]),
    );
    const scraped = async () =>
      (await pipeline.prometheus.query('target_info{job="grantex-auth",service_version!=""}')).map(
        ({ labels }) => labels['service_instance_id'],
      );
    await expect.poll(scraped, { interval: 250 }).toContain(sender);
  });
});

describe('in Prometheus', () => {
  /** The values by labels, without the labels that Prometheus adds. Zeros are included only for a single series. */
  async function values(family: string): Promise<Record<string, number>> {
    const selector = `sum without (instance, job) (${family}{job="grantex-auth"})`;
    const series = (await pipeline.prometheus.query(selector)).map(({ labels, value }) => {
      const pairs = Object.entries(labels).map(([key, of]) => `${key}=${rename(of)}`);
      return [pairs.sort().join(' '), value] as const;
    });
    return Object.fromEntries(series.filter(([, value]) => value !== 0 || series.length === 1));
  }

  test('every family has the value that the flow gives', async () => {
    const all = async () =>
      Object.fromEntries(
        await Promise.all(
          Object.keys(VALUES_OF_THE_FLOW).map(async (family) => [family, await values(family)] as const),
        ),
      );
    await expect.poll(all, { interval: 500 }).toEqual(VALUES_OF_THE_FLOW);
  });

  /** In OpenMetrics a counter is declared without the suffix of its sample. */
  const SUFFIXES: Readonly<Record<string, string>> = { histogram: '_count', counter: '_total' };
  test('no family of ours is missing above', async () => {
    const families = (await pipeline.prometheus.metadata('grantex-auth'))
      .filter(({ metric }) => metric.startsWith('grantex_'))
      .map(({ metric, type }) => `${metric}${SUFFIXES[type] ?? ''}`);
    // The test compares the requests by route and status below.
    const known = [
      ...Object.keys(VALUES_OF_THE_FLOW),
      ...AGES,
      'grantex_http_request_duration_seconds_count',
    ];
    expect(families.sort()).toEqual(known.sort());
    for (const family of AGES) {
      for (const age of Object.values(await values(family))) {
        expect(age).toBeGreaterThanOrEqual(0);
        expect(age).toBeLessThan(600);
      }
    }
  });

  test('the requests, by route and status', async () => {
    const counted = await values('grantex_http_request_duration_seconds_count');
    const flowAlone = Object.entries(counted).filter(([labels]) => !labels.includes('route=/health'));
    const tally: Record<string, number> = {};
    for (const { attributes } of requestsOfTheFlow()) {
      const {
        'http.request.method': method,
        'http.route': route,
        'http.response.status_code': status,
      } = attributes;
      const labels = `method=${method} route=${route} status_code=${status}`;
      tally[labels] = (tally[labels] ?? 0) + 1;
    }
    expect(Object.fromEntries(flowAlone)).toEqual(tally);
  });

  test('from an exemplar one gets to its trace in Jaeger, and from there to its log lines', async () => {
    const selector =
      'traces_span_metrics_duration_milliseconds_bucket{service_name="grantex-auth",span_name="grantex.token.exchange"}';
    const exemplars = await waitFor(async () => {
      const found = await pipeline.prometheus.exemplars(selector);
      return found.length > 0 ? found : undefined;
    }, 30_000);
    const exchange = requests
      .flat()
      .find(({ attributes, name }) => name === 'grantex.token.exchange' && !attributes['error.type']);
    const exemplar = exemplars.find(({ labels }) => labels['span_id'] === exchange?.spanId);
    expect(exemplar?.labels['trace_id']).toBe(exchange?.traceId);
    const trace = await pipeline.jaeger.trace(exemplar?.labels['trace_id'] ?? '');
    expect(trace.map(({ name }) => name).sort()).toEqual([
      'POST /v1/token',
      'UPDATE authorization_requests',
      'grantex.token.exchange',
      'grantex.token.sign',
    ]);
    const lines = pipeline.logs.records.filter(({ traceId }) => traceId === exemplar?.labels['trace_id']);
    expect(lines.map(({ event }) => event)).toEqual(['grant.created', 'token.exchanged']);
  });
});

test('no secret has arrived anywhere', async () => {
  const traces = JSON.stringify(await pipeline.jaeger.traces('grantex-auth'));
  const records = JSON.stringify(pipeline.logs.records);
  for (const secret of flow.secrets) {
    expect(traces).not.toContain(secret);
    expect(records).not.toContain(secret);
  }
});

test('counters and gauges say what the rows say, as scraped and as Prometheus has them', async () => {
  await expectReconciled(service);
  const told = await npmOutput('reconcile', ['--prometheus', pipeline.prometheus.url], {
    DATABASE_URL: service.database.url,
  });
  expect(told).toContain('1 living process, 0 without a last count');
});
