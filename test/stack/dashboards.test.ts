import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DASHBOARDS } from '../../deploy/programs/dashboards/generate.ts';
import {
  type Answer,
  allOf,
  dataOf,
  panelsOf,
  type View,
} from '../../deploy/programs/dashboards/panel-data.ts';
import { parsePromql } from '../../deploy/programs/promql.ts';
import { agentsThatDid, everyChoice } from './pipeline/dashboard-choices.ts';
import { quantileOf, type WatchedDemo, watchDemo } from './pipeline/watched-demo.ts';

/** The titles of panels that are empty while nothing is wrong, or while no program sends that kind of telemetry. */
const EMPTY_WHEN_WELL = new Set([
  'Server errors by route',
  'Database errors by kind',
  'Not sent',
  'Refused',
  'Messages to people',
  'Received',
  'Sent on',
  // There is no Redis in this stack.
  'Redis latency p99',
  'Failed calls of Redis',
]);

/**
 * Prometheus extrapolates to the edges of the window: at either end by up to 1.1 scrape intervals, depending on the
 * time of the scrapes. The window is a minute.
 */
const EXTENDED = 1.04;

let demo: WatchedDemo;
let view: WatchedDemo['view'];

beforeAll(async () => {
  demo = await watchDemo();
  ({ view } = demo);
});
afterAll(() => demo?.stop());

const dashboardOf = (name: string): Dashboard => {
  const make = DASHBOARDS[name];
  if (!make) throw new Error(`there is no dashboard ${name}`);
  return make();
};

const hasValues = ({ series }: Answer): boolean =>
  series.some(({ points }) => points.some(([, value]) => Number.isFinite(value)));

describe.each(Object.keys(DASHBOARDS))('%s', (name) => {
  test('every query brings data with every variable at All', async () => {
    const dashboard = dashboardOf(name);
    const values = await allOf(dashboard, view);
    const silent: string[] = [];
    for (const panel of panelsOf(dashboard)) {
      const answers = await dataOf(panel, { ...view, values });
      for (const answer of answers)
        if (!hasValues(answer) && !EMPTY_WHEN_WELL.has(panel.title ?? ''))
          silent.push(`${panel.title}: ${answer.expr}`);
    }
    expect(silent).toEqual([]);
  });

  test('every query is good with every value of every variable, and silent only where nothing of it was done', async () => {
    const dashboard = dashboardOf(name);
    const active = await agentsThatDid(view);
    const silent: string[] = [];
    for (const values of await everyChoice(dashboard, view))
      for (const panel of panelsOf(dashboard)) {
        const answers = await dataOf(panel, { ...view, values });
        const agents = values['agent_id'];
        const did = answers
          .flatMap(({ expr }) => parsePromql(expr).metrics)
          .flatMap((metric) => active.get(metric) ?? []);
        const mayBeSilent =
          EMPTY_WHEN_WELL.has(panel.title ?? '') ||
          (Array.isArray(agents) && !agents.some((agent) => did.includes(agent)));
        if (!answers.some(hasValues) && !mayBeSilent) silent.push(`${JSON.stringify(values)} ${panel.title}`);
      }
    expect(silent).toEqual([]);
  });
});

describe('the overview shows what the demo did', () => {
  /** One window over the whole demo. Each rate is then the total of the demo divided by the window. */
  let whole: View;
  let windowSeconds: number;
  let dashboard: Dashboard;

  beforeAll(async () => {
    dashboard = dashboardOf('overview');
    const { start, end } = view.span;
    windowSeconds = end - start + 1;
    whole = {
      ...view,
      span: { start, end, step: end - start },
      values: await allOf(dashboard, view),
    };
  });

  /** The last value of the line with this name, or of the only line. */
  async function shown(title: string, legend?: string): Promise<number> {
    const panel = panelsOf(dashboard).find((one) => one.title === title);
    if (!panel) throw new Error(`there is no panel ${title}`);
    const lines = (await dataOf({ ...panel, interval: '' }, whole)).flatMap(({ series }) => series);
    const line = legend === undefined ? lines[0] : lines.find(({ name }) => name === legend);
    return line?.points.at(-1)?.[1] ?? Number.NaN;
  }

  const perSecond = () => windowSeconds;
  const perMinute = () => windowSeconds / 60;
  const as = () => 1;
  const EXCHANGE = 'grantex_token_exchange_total';
  const REFRESH = 'grantex_token_refresh_total';
  const DELIVERIES = 'grantex_webhook_deliveries_total';
  const moved: WatchedDemo['moved'] = (...of) => demo.moved(...of);
  /** Of panels that look back for five minutes, to before the demo: the start of the process counts as the 0 of its counters. */
  const partSinceStart = (metric: string, labels: Record<string, string>) =>
    (moved(metric, labels) + (demo.before.value(metric, labels) ?? 0)) /
    (moved(metric) + demo.before.sum(metric));
  const part = (metric: string, labels: Record<string, string>) => moved(metric, labels) / moved(metric);

  test.each<[title: string, legend: string | undefined, unit: () => number, done: () => number]>([
    ['Token exchange rate', 'success', perSecond, () => moved(EXCHANGE, { status: 'success' })],
    ['Token exchange rate', 'error', perSecond, () => moved(EXCHANGE, { status: 'error' })],
    ['Token exchange success rate', undefined, as, () => part(EXCHANGE, { status: 'success' })],
    ['Failures of exchange and refresh', 'exchange', as, () => part(EXCHANGE, { status: 'error' })],
    ['Failures of exchange and refresh', 'refresh', as, () => part(REFRESH, { status: 'error' })],
    ['Exchanges failed', undefined, as, () => partSinceStart(EXCHANGE, { status: 'error' })],
    ['Refreshes failed', undefined, as, () => partSinceStart(REFRESH, { status: 'error' })],
    [
      'Requests for authorization',
      'success',
      perSecond,
      () => moved('grantex_authorize_total', { status: 'success' }),
    ],
    [
      'Requests for authorization',
      'denied',
      perSecond,
      () => moved('grantex_authorize_total', { status: 'denied' }),
    ],
    [
      'Requests for authorization',
      'error',
      perSecond,
      () => moved('grantex_authorize_total', { status: 'error' }),
    ],
    [
      'Decisions of people',
      'approved',
      perMinute,
      () => moved('grantex_consent_decisions_total', { decision: 'approved' }),
    ],
    [
      'Decisions of people',
      'denied',
      perMinute,
      () => moved('grantex_consent_decisions_total', { decision: 'denied' }),
    ],
    [
      'Tokens verified and refreshed',
      'verify: valid',
      perSecond,
      () => moved('grantex_token_verifications_total', { result: 'valid' }),
    ],
    [
      'Tokens verified and refreshed',
      'verify: invalid',
      perSecond,
      () => moved('grantex_token_verifications_total', { result: 'invalid' }),
    ],
    [
      'Tokens verified and refreshed',
      'refresh: success',
      perSecond,
      () => moved(REFRESH, { status: 'success' }),
    ],
    ['Active grants', undefined, as, () => moved('grantex_active_grants')],
    ['Active grants over time', 'active', as, () => moved('grantex_active_grants')],
    [
      'Grants made and revoked',
      'made by consent',
      perMinute,
      () => moved('grantex_grants_created_total', { origin: 'consent' }),
    ],
    [
      'Grants made and revoked',
      'made by delegation',
      perMinute,
      () => moved('grantex_grants_created_total', { origin: 'delegation' }),
    ],
    ['Grants made and revoked', 'revoked', perMinute, () => moved('grantex_grants_revoked_total')],
    ['Webhook deliveries', 'delivered', perMinute, () => moved(DELIVERIES, { status: 'delivered' })],
    ['Webhook deliveries', 'failed', perMinute, () => moved(DELIVERIES, { status: 'failed' })],
    ['Webhooks delivered', undefined, as, () => part(DELIVERIES, { status: 'delivered' })],
    ['Unacknowledged', undefined, as, () => moved('grantex_anomalies_unacknowledged')],
    ['429 per minute', undefined, () => 5, () => moved('grantex_rate_limited_total')],
    ['429 a minute, by limit', 'all', perMinute, () => moved('grantex_rate_limited_total')],
  ])('%s %s', async (title, legend, unit, done) => {
    const of = (await shown(title, legend)) * unit();
    expect(of).toBeGreaterThanOrEqual(done() * 0.995);
    expect(of).toBeLessThanOrEqual(done() * EXTENDED);
  });

  test('anomalies: as many as there are, of each type', async () => {
    const { anomalies, byType } = demo.summary.totals;
    expect(Object.keys(byType)).not.toEqual([]);
    // The panel rounds an extrapolated value down to a whole number.
    for (const title of ['Anomalies, 1 h', 'Anomalies in the hour before'])
      expect(Math.abs((await shown(title)) - anomalies)).toBeLessThanOrEqual(
        Math.ceil(anomalies * (EXTENDED - 1)),
      );
    const severities = {
      high: ['rate_spike', 'unusual_scope_access', 'cascade_delegation'],
      medium: ['high_failure_rate'],
    };
    for (const [type, count] of Object.entries(byType)) {
      const [severity = 'low'] = Object.entries(severities).find(([, types]) => types.includes(type)) ?? [];
      const line = await shown('Anomalies detected, by type', `${type} (${severity})`);
      expect(line, type).toBeGreaterThanOrEqual(count * 0.995);
      expect(line, type).toBeLessThanOrEqual(count * EXTENDED);
    }
  });

  test('HTTP: requests of every route but those that others look at too, and the share that was refused', async () => {
    const panel = panelsOf(dashboard).find(({ title }) => title === 'Requests by route');
    if (!panel) throw new Error('there is no such panel');
    const [answer] = await dataOf(panel, whole);
    const rates = (answer?.series ?? []).map(({ name, points }) => [name, points.at(-1)?.[1] ?? 0] as const);
    const sum = rates.reduce((all, [, rate]) => all + rate, 0) * windowSeconds;
    const health = (rates.find(([name]) => name === 'GET /health')?.[1] ?? 0) * windowSeconds;
    const asked = demo.summary.acts.reduce(
      (all, { act, count }) => (act === 'health' ? all : all + count),
      0,
    );
    expect(sum - health + (await inFirstScrape('route!="/health"'))).toBeGreaterThanOrEqual(asked * 0.995);
    expect(sum - health + (await inFirstScrape('route!="/health"'))).toBeLessThanOrEqual(asked * EXTENDED);
    const refused = demo.ended('denied', 'refused', 'unauthorized', 'limited');
    // A probe that times out is a 499 that does not belong to the demo.
    const [probes] = await view.prometheus.instant(
      `sum(increase(grantex_http_request_duration_seconds_count{route="/health", status_code=~"4.."}[${windowSeconds}s]))`,
      view.span.end,
    );
    const seen =
      (await shown('HTTP error rate', '4xx')) * sum -
      (probes?.points[0]?.[1] ?? 0) +
      (await inFirstScrape('route!="/health", status_code=~"4.."'));
    expect(seen).toBeGreaterThanOrEqual(refused * 0.995);
    expect(seen).toBeLessThanOrEqual(refused * EXTENDED);
    expect(await shown('HTTP error rate', '5xx')).toBe(0);
  });

  /** The requests that a series already had in its first scrape. No rate contains them. */
  async function inFirstScrape(matcher: string): Promise<number> {
    const selector = `grantex_http_request_duration_seconds_count{${matcher}}`;
    const first = `sum(min_over_time(${selector}[${windowSeconds}s]) unless ${selector} offset ${windowSeconds}s)`;
    const [series] = await view.prometheus.instant(first, view.span.end);
    return series?.points[0]?.[1] ?? 0;
  }

  test('latency: quantiles of the buckets that the service itself shows', async () => {
    const scrape = await demo.service.scrape();
    for (const [title, family] of [
      ['Authorize latency', 'grantex_authorize_duration_seconds'],
      ['Token exchange latency', 'grantex_token_exchange_duration_seconds'],
    ] as const)
      for (const [legend, q] of [
        ['p50', 0.5],
        ['p99', 0.99],
      ] as const) {
        const seconds = quantileOf(demo.before, scrape, family, q);
        expect(Math.abs((await shown(title, legend)) / seconds - 1), `${title} ${legend}`).toBeLessThan(
          EXTENDED - 1,
        );
      }
  });

  test('a dot on the latency of authorize is a trace in Jaeger', async () => {
    const panel = panelsOf(dashboard).find(({ title }) => title === 'Authorize latency');
    if (!panel) throw new Error('there is no such panel');
    const dots = (await dataOf(panel, whole)).flatMap(({ exemplars }) => exemplars);
    expect(dots.length).toBeGreaterThan(10);
    for (const { traceId } of dots.slice(0, 10)) {
      const names = (await demo.pipeline.jaeger.traceOnce(traceId)).map(({ name }) => name);
      expect(names).toContain('POST /v1/authorize');
    }
  });
});
