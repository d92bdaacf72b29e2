import type { View } from '../../../deploy/programs/dashboards/panel-data.ts';
import { connectPrometheus } from '../../../deploy/programs/dashboards/prometheus.ts';
import type { Summary } from '../../../deploy/programs/demo/report.ts';
import { runDemo } from '../../../deploy/programs/demo/run.ts';
import { loopback } from '../../../deploy/programs/stack/addresses.ts';
import { newParty } from '../../support/flow.ts';
import type { Scrape } from '../../support/scrape.ts';
import { type TestService, waitFor } from '../../support/service.ts';
import { type Pipeline, startPipeline } from './pipeline.ts';

const DEMO_SECONDS = 45;

/** A demo that a real Prometheus scraped from before its beginning until after its end. */
export interface WatchedDemo {
  readonly pipeline: Pipeline;
  readonly service: TestService;
  /** A scrape of the service at the beginning. */
  readonly before: Scrape;
  readonly summary: Summary;
  /** The time from before the demo to after it. At both ends no counter changes. */
  readonly view: Omit<View, 'values'>;
  /** The increase of a counter that follows from the answers to the demo. */
  moved(metric: string, labels?: Readonly<Record<string, string>>): number;
  /** The number of the demo's requests with one of these outcomes. */
  ended(...outcomes: readonly string[]): number;
  stop(): Promise<void>;
}

export async function watchDemo(): Promise<WatchedDemo> {
  const pipeline = await startPipeline(
    'otel-collector',
    'jaeger',
    'prometheus',
    'blackbox',
    'alertmanager',
    'alert-sink',
  );
  let service: TestService | undefined;
  const stop = async () => {
    await service?.stop();
    await pipeline.stop();
  };
  try {
    service = await pipeline.startService({
      OTEL_BSP_SCHEDULE_DELAY: '200',
      // Every hour is an off hour, so that all types of anomalies occur by day, too.
      ANOMALY_OFF_HOURS_START: '00:00',
      ANOMALY_OFF_HOURS_END: '00:00',
      WEBHOOK_MAX_ATTEMPTS: '3',
    });
    const { before, summary, span } = await runWatched(pipeline, service);
    return {
      pipeline,
      service,
      before,
      summary,
      view: {
        prometheus: connectPrometheus(`http://${loopback(pipeline.ports.prometheus)}`),
        span,
        scrape: 1,
      },
      moved: (metric, labels = {}) =>
        summary.expected
          .filter(
            (one) =>
              one.metric === metric &&
              Object.entries(labels).every(([name, value]) => one.labels[name] === value),
          )
          .reduce((sum, { value }) => sum + value, 0),
      ended: (...outcomes) =>
        summary.acts.reduce((sum, { outcome, count }) => (outcomes.includes(outcome) ? sum + count : sum), 0),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function runWatched({ prometheus }: Pipeline, service: TestService) {
  const holds = async (condition: string) => (await prometheus.query(condition)).length > 0 || undefined;
  // Histograms have no series before their first event, so the measured time begins after it.
  const party = await newParty(service);
  await party.authorize();
  await service.request('POST', '/v1/token', {
    key: party.key,
    body: { code: 'unknown', agentId: party.agentId },
  });
  await waitFor(
    () => holds('count_over_time(grantex_token_exchange_duration_seconds_count[1h]) > 2'),
    60_000,
  );
  const before = await service.scrape();
  const start = now();
  const summary = await runDemo({
    url: service.url,
    seconds: DEMO_SECONDS,
    rate: 2,
    daySeconds: DEMO_SECONDS,
    drills: [],
    keys: [],
    receiverHost: '127.0.0.1',
    signal: new AbortController().signal,
    onProgress: () => undefined,
    onNote: () => undefined,
  });
  // Gauges are up to five seconds old. After that, every counter has its final value in a scrape, too. A bar covers a
  // minute.
  const end = Math.max(now() + 7, start + 61);
  await waitFor(() => holds(`min(timestamp(grantex_authorize_total)) > ${end}`), 120_000);
  return { before, summary, span: { start, end, step: 5 } };
}

const now = () => Math.ceil(Date.now() / 1000);

/** A quantile of the events between two scrapes. It interpolates within the bucket, like histogram_quantile. */
export function quantileOf(before: Scrape, after: Scrape, family: string, q: number): number {
  const name = `${family}_bucket`;
  const buckets = after
    .labelSets(name)
    .map((labels) => {
      const bound = labels['le'] === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels['le']);
      return [bound, (after.value(name, labels) ?? 0) - (before.value(name, labels) ?? 0)] as const;
    })
    .sort(([a], [b]) => a - b);
  const rank = q * (buckets.at(-1)?.[1] ?? 0);
  const index = buckets.findIndex(([, count]) => count >= rank);
  const [from, below] = buckets[index - 1] ?? [0, 0];
  const [to, count] = buckets[index] ?? [0, 0];
  return from + ((to - from) * (rank - below)) / (count - below);
}
