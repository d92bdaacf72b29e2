import { type Attributes, context, type Span, trace } from '@opentelemetry/api';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createExposition } from '../../instrumentation/exposition.ts';
import { FAMILIES } from '../../src/telemetry/families.ts';
import { startHarness } from '../telemetry/harness.ts';

let harness: ReturnType<typeof startHarness>;
beforeEach(() => {
  harness = startHarness();
});
afterEach(() => harness.stop());

const CREATED = /^\d{10}\.\d{3}$/;

/** The lines of one family of OpenMetrics, with the values of `_created` left out. */
function family(exposition: string, name: string): string[] {
  const parts = exposition.split(/(?=^# HELP )/m);
  const own = parts.find((part) => part.startsWith(`# HELP ${name} `)) ?? '';
  return own
    .split('\n')
    .filter((line) => line !== '' && line !== '# EOF')
    .map((line) => line.replace(/(_created\S*) (\S+)$/, (_, series, at) => `${series} ${CREATED.test(at)}`));
}
const inSpan = (name: string, work: () => void): Span => {
  const span = harness.tracer.startSpan(name);
  context.with(trace.setSpan(context.active(), span), work);
  span.end();
  return span;
};
const exemplarOf = (span: Span, value: number | RegExp) => {
  const { traceId, spanId } = span.spanContext();
  const its = value instanceof RegExp ? value.source : String(value).replaceAll('.', '\\.');
  return new RegExp(` # \\{trace_id="${traceId}",span_id="${spanId}"\\} ${its} \\d{10}\\.\\d{3}$`);
};

describe('families', () => {
  test('a counter is named without _total, and each series says when it began', async () => {
    harness.telemetry.instruments.tokenExchanges.add(2, { status: 'success' });
    expect(family(await harness.scrape('openmetrics'), 'grantex_token_exchange')).toEqual([
      '# HELP grantex_token_exchange Token exchange attempts that have ended, by outcome. 401 and 429 are not attempts.',
      '# TYPE grantex_token_exchange counter',
      'grantex_token_exchange_total{status="success"} 2',
      'grantex_token_exchange_created{status="success"} true',
      'grantex_token_exchange_total{status="error"} 0',
      'grantex_token_exchange_created{status="error"} true',
    ]);
  });

  test('a histogram has canonical bounds, and a unit where its name ends in it', async () => {
    harness.telemetry.instruments.tokenExchangeDuration.record(1.5);
    const name = 'grantex_token_exchange_duration_seconds';
    expect(family(await harness.scrape('openmetrics'), name)).toEqual([
      `# HELP ${name} Duration of every counted token exchange attempt, failures too, in seconds.`,
      `# UNIT ${name} seconds`,
      `# TYPE ${name} histogram`,
      ...['0.01', '0.05', '0.1', '0.25', '0.5', '1.0'].map((le) => `${name}_bucket{le="${le}"} 0`),
      ...['2.5', '5.0', '+Inf'].map((le) => `${name}_bucket{le="${le}"} 1`),
      `${name}_count 1`,
      `${name}_sum 1.5`,
      `${name}_created true`,
    ]);
  });

  test('the beginning of a series is the time of its first event, and stays', async () => {
    const before = Date.now() / 1000;
    const record = (seconds: number) =>
      harness.telemetry.instruments.redisDuration.record(seconds, { outcome: 'ok' });
    record(1);
    const created = async () =>
      Number(
        /^redis_client_operation_duration_seconds_created\{outcome="ok"\} (\S+)$/m.exec(
          await harness.scrape('openmetrics'),
        )?.[1],
      );
    const first = await created();
    expect(first).toBeGreaterThanOrEqual(Math.floor(before * 1000) / 1000);
    expect(first).toBeLessThanOrEqual(Date.now() / 1000);
    record(2);
    expect(await created()).toBe(first);
  });

  test('what is counted from the start of the process began then, not at the first scrape', async () => {
    const text = await harness.scrape('openmetrics');
    const created = /^grantex_telemetry_faults_created (\S+)$/m.exec(text)?.[1];
    expect(created).toBe((performance.timeOrigin / 1000).toFixed(3));
  });

  test('a gauge is as in 0.0.4; the unit of the catalogue ends the name, or is none', async () => {
    harness.telemetry.observeOldestPendingDelivery(async () => 12.5);
    harness.telemetry.observeActiveGrants(async () => 3);
    const text = await harness.scrape('openmetrics');
    expect(text).toContain(
      '# UNIT grantex_webhook_oldest_pending_seconds seconds\n# TYPE grantex_webhook_oldest_pending_seconds gauge\ngrantex_webhook_oldest_pending_seconds 12.5\n',
    );
    expect(text).toMatch(
      /\n# HELP grantex_active_grants .*\n# TYPE grantex_active_grants gauge\ngrantex_active_grants 3\n/,
    );
  });

  test('target comes first and # EOF last, once', async () => {
    const text = await harness.scrape('openmetrics');
    expect(
      text.startsWith(
        '# HELP target Target metadata\n# TYPE target info\ntarget_info{service_name="test"} 1\n',
      ),
    ).toBe(true);
    expect(text.endsWith('\n# EOF\n')).toBe(true);
    expect(text.match(/# EOF/g)).toHaveLength(1);
    expect(await harness.scrape('text')).not.toMatch(/# EOF|_created\b|trace_id/);
  });

  test('no name of the catalogue is what another family adds to its own', () => {
    const endings = ['', '_total', '_created', '_bucket', '_count', '_sum', '_info'];
    const bases = FAMILIES.flatMap(({ name, perAgent }) => [name, perAgent?.name ?? []].flat()).map((name) =>
      name.replace(/_total$/, ''),
    );
    const clashes = bases.filter((base) =>
      bases.some((other) => other !== base && endings.some((ending) => `${other}${ending}` === base)),
    );
    expect(clashes).toEqual([]);
  });
});

describe('exemplars', () => {
  const line = async (start: string) =>
    (await harness.scrape('openmetrics')).split('\n').find((one) => one.startsWith(start)) ?? '';

  test('the latest sampled request of each bucket', async () => {
    const { authorizeDuration } = harness.telemetry.instruments;
    const record = (seconds: number) => inSpan('request', () => authorizeDuration.record(seconds));
    const name = 'grantex_authorize_duration_seconds_bucket';
    record(0.02);
    const [quick, edge, slow] = [record(0.03), record(0.1), record(60)];
    expect(await line(`${name}{le="0.05"}`)).toMatch(exemplarOf(quick, 0.03));
    expect(await line(`${name}{le="0.1"}`)).toMatch(exemplarOf(edge, 0.1));
    expect(await line(`${name}{le="+Inf"}`)).toMatch(exemplarOf(slow, 60));
    for (const le of ['0.01', '0.25', '5.0'])
      expect(await line(`${name}{le="${le}"}`)).not.toContain('trace_id');
    const later = record(0.04);
    expect(await line(`${name}{le="0.05"}`)).toMatch(exemplarOf(later, 0.04));
    expect(await harness.scrape('text')).not.toContain('trace_id');
  });

  test('the failures of a counter have them, its successes do not', async () => {
    const { attempts } = harness.telemetry;
    inSpan('good', () => attempts.start('token_exchange')({ status: 201 }));
    const failed = inSpan('bad', () => attempts.start('token_exchange')({ status: 503 }));
    expect(await line('grantex_token_exchange_total{status="success"}')).toBe(
      'grantex_token_exchange_total{status="success"} 1',
    );
    expect(await line('grantex_token_exchange_total{status="error"}')).toMatch(exemplarOf(failed, 1));
  });

  test('so do the failures of each agent; its successes and its latency do not', async () => {
    const { attempts } = harness.telemetry;
    const end = (status: number, agentId: string) =>
      inSpan('request', () => attempts.start('authorize')({ status, agentId }));
    const [one, other] = [end(503, 'ag_1'), end(404, 'ag_2')];
    end(201, 'ag_1');
    const series = (status: string, agent: string) =>
      line(`grantex_agent_authorize_total{status="${status}",agent_id="${agent}"}`);
    expect(await series('error', 'ag_1')).toMatch(exemplarOf(one, 1));
    expect(await series('error', 'ag_2')).toMatch(exemplarOf(other, 1));
    expect(await series('success', 'ag_1')).not.toContain('trace_id');
    const agents = (await harness.scrape('openmetrics')).match(
      /^grantex_agent_authorize_duration.*trace_id/gm,
    );
    expect(agents).toBe(null);
  });

  test('a request that was not sampled leaves none, and does not take the place of one that was', async () => {
    const { authorizeDuration } = harness.telemetry.instruments;
    const name = 'grantex_authorize_duration_seconds_bucket{le="0.05"}';
    const unsampled = trace.setSpanContext(context.active(), {
      traceId: '1'.repeat(32),
      spanId: '2'.repeat(16),
      traceFlags: 0,
    });
    context.with(unsampled, () => authorizeDuration.record(0.02));
    authorizeDuration.record(0.02);
    expect(await line(name)).toBe(`${name} 2`);
    const sampled = inSpan('request', () => authorizeDuration.record(0.03));
    context.with(unsampled, () => authorizeDuration.record(0.02));
    expect(await line(name)).toMatch(exemplarOf(sampled, 0.03));
  });

  test('each series has its own', async () => {
    const { webhookAttempts } = harness.telemetry.instruments;
    const timeout = inSpan('one', () => webhookAttempts.add(1, { outcome: 'timeout' }));
    const refused = inSpan('two', () => webhookAttempts.add(1, { outcome: 'refused' }));
    inSpan('three', () => webhookAttempts.add(1, { outcome: '2xx' }));
    expect(await line('grantex_webhook_attempts_total{outcome="timeout"}')).toMatch(exemplarOf(timeout, 1));
    expect(await line('grantex_webhook_attempts_total{outcome="refused"}')).toMatch(exemplarOf(refused, 1));
    expect(await line('grantex_webhook_attempts_total{outcome="2xx"}')).not.toContain('trace_id');
  });
});

test('what did not change is not written anew, and what did is, in both formats', async () => {
  const { instruments } = harness.telemetry;
  for (const format of ['text', 'openmetrics'] as const) {
    const first = await harness.scrape(format);
    expect(await harness.scrape(format)).toBe(first);
  }
  instruments.grantsRevoked.add(1);
  instruments.tokenExchangeDuration.record(0.2);
  for (const format of ['text', 'openmetrics'] as const) {
    const text = await harness.scrape(format);
    expect(text).toContain('\ngrantex_grants_revoked_total 1\n');
    expect(text).toContain('\ngrantex_token_exchange_duration_seconds_sum 0.2\n');
  }
  instruments.grantsRevoked.add(1);
  expect(await harness.scrape()).toContain('\ngrantex_grants_revoked_total 2\n');
});

describe('target_info is valid whatever the resource holds', () => {
  const written = async (attributes: Attributes) => {
    const { resourceMetrics } = await harness.reader.collect({ timeoutMillis: 500 });
    const collected = { resource: { ...resourceMetrics.resource, attributes }, scopeMetrics: [] };
    return (await createExposition().write(collected, 'text'))
      .split('\n')
      .find((line) => !line.startsWith('#'));
  };
  test.each<[Attributes, string]>([
    [{ 'service.name': 'a', service_name: 'foo' }, 'service_name="a;foo"'],
    [{ a_b: '2', 'a.b': '1' }, 'a_b="1;2"'],
    [{ '1abc': '2' }, '_1abc="2"'],
    [{ __name__: 'x', '__le.': 'y' }, '_name_="x",_le_="y"'],
    [{ 'é-ü': 'x', '!': 'y' }, '_="y;x"'],
    [{ a: 'quote " slash \\ line\nNUL \0 end' }, 'a="quote \\" slash \\\\ line\\nNUL \uFFFD end"'],
    [{ a: ['x', 'y'], n: 3, b: true }, 'a="[\\"x\\",\\"y\\"]",n="3",b="true"'],
  ])('%j', async (attributes, labels) => {
    expect(await written(attributes)).toBe(`target_info{${labels}} 1`);
  });
});
