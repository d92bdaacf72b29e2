import { CLIENT_MISTAKES, runAgentFlow } from './agent-flow.ts';
import { ANOMALIES, acknowledgeOlderHalf, triggerAnomaly } from './anomalies.ts';
import { Caller } from './caller.ts';
import { type DemoContext, RateLimiter } from './context.ts';
import { createDevelopers } from './developers.ts';
import { DRILLS, pollUntilLimited, sandboxOf } from './drills.ts';
import {
  deliveriesOf,
  detectAnomalies,
  removeWebhooks,
  totalsChange,
  waitForDeliveries,
  waitForShortGrants,
} from './finish.ts';
import { sendFirstRequests } from './first-requests.ts';
import { loadAt, pause } from './pacing.ts';
import { pickOne } from './random.ts';
import { Receivers } from './receivers.ts';
import { expectedOf, type Summary } from './report.ts';
import { RequestCounts } from './request-counts.ts';

export interface DemoOptions {
  /** The URL of the service, without a path. */
  readonly url: string;
  /** How long the demo sends traffic. Reading the results takes up to half a minute more. */
  readonly seconds: number;
  /** Agent flows per second, as a mean over the day. Each flow is about ten requests. */
  readonly rate: number;
  /** The length of the day whose load curve the traffic follows. */
  readonly daySeconds: number;
  /** Names of the `DRILLS` that run during the whole demo. */
  readonly drills: readonly string[];
  /** API keys of the developers to use; empty: the demo signs up four. */
  readonly keys: readonly string[];
  /** The name by which the service reaches this machine. */
  readonly receiverHost: string;
  /** Ends the traffic early. The demo still makes the summary. */
  readonly signal: AbortSignal;
  /** Called about once a second. */
  readonly onProgress: (progress: Progress) => void;
  /** Called with each hint for the reader. */
  readonly onNote: (text: string) => void;
}

export interface Progress {
  readonly seconds: number;
  readonly requests: number;
  /** Requests answered with 2xx, with a refusal, with 429, with 5xx, and not at all. */
  readonly ok: number;
  readonly refused: number;
  readonly limited: number;
  readonly failed: number;
  readonly unanswered: number;
  /** Walks per second, now. */
  readonly rate: number;
  readonly flows: number;
}

const TICK_MS = 50;
/** More flows at once are not begun: a service that hangs is not to be buried. */
const MAX_CONCURRENT_FLOWS = 200;
/** One address may make 120 requests a minute to public pages. */
const PAGES_PER_MINUTE = 100;

/**
 * Runs the demo through the public HTTP API alone.
 * @throws {DemoError} when no service answers, or the demo cannot get developers
 */
export async function runDemo(options: DemoOptions): Promise<Summary> {
  const { url, seconds, rate, daySeconds, signal: stop, onProgress } = options;
  const counts = new RequestCounts();
  const caller = new Caller(url, counts);
  const notes: string[] = [];
  const note = (text: string) => {
    notes.push(text);
    options.onNote(text);
  };
  const receivers = await Receivers.start(options.receiverHost);
  const begun = performance.now();
  const elapsed = () => (performance.now() - begun) / 1000;
  try {
    const developers = await createDevelopers(caller, receivers, { keys: options.keys, warn: note });
    const signal = AbortSignal.any([stop, AbortSignal.timeout(seconds * 1000)]);
    const context: DemoContext = {
      caller,
      developers,
      receivers,
      signal,
      pageLimiter: new RateLimiter(PAGES_PER_MINUTE),
      revokedWithAgents: 0,
      shortGrantsEndAt: 0,
    };

    const flows = new Set<Promise<void>>();
    const start = (work: Promise<void>) => {
      const one = work.finally(() => flows.delete(one));
      flows.add(one);
    };
    for (const developer of developers) start(sendFirstRequests(context, developer));
    for (const anomaly of ANOMALIES) start(triggerAnomaly(context, sandboxOf(context), anomaly));
    for (const mistake of CLIENT_MISTAKES) {
      const developer = sandboxOf(context);
      start(mistake(context, developer, pickOne(developer.agents)).then(() => undefined));
    }
    start(pollUntilLimited(context));
    for (const name of options.drills) if (DRILLS[name]) start(DRILLS[name].run(context, rate));

    let due = 0;
    let startedFlows = 0;
    let told = 0;
    for (let tick = 0; !signal.aborted; tick++) {
      const now = rate * loadAt(elapsed(), daySeconds);
      due = Math.min(due + (now * TICK_MS) / 1000, MAX_CONCURRENT_FLOWS);
      for (; due >= 1 && flows.size < MAX_CONCURRENT_FLOWS; due--) {
        start(runAgentFlow(context));
        startedFlows++;
      }
      if (tick % HOUSEKEEPING_TICKS === HOUSEKEEPING_TICKS - 1) start(housekeeping(context));
      if (elapsed() >= told + 1) {
        told = elapsed();
        onProgress(progressOf(counts, told, now, startedFlows));
      }
      await pause(TICK_MS, signal);
    }
    await Promise.all(flows);

    if (!(await waitForDeliveries(context))) note('some deliveries were still under way at the end');
    await waitForShortGrants(context);
    await detectAnomalies(context);
    const deliveries = await deliveriesOf(context);
    await removeWebhooks(context);
    const totals = await totalsChange(context);
    if (totals.byType['off_hours_activity'] === undefined)
      note(
        'no off_hours_activity: it is day. Start the service with ANOMALY_OFF_HOURS_START=00:00 ANOMALY_OFF_HOURS_END=00:00, by which every hour is an off hour',
      );
    const { requests } = counts;
    const facts = { counts, totals, deliveries, revokedWithAgents: context.revokedWithAgents };
    const expected = expectedOf(facts);
    const received = receivers.answered;
    return {
      seconds: elapsed(),
      requests,
      acts: counts.rows(),
      expected,
      totals,
      deliveries,
      received,
      notes,
    };
  } finally {
    await receivers.close();
  }
}

const HOUSEKEEPING_TICKS = (5 * 1000) / TICK_MS;

/** Requests that no agent makes: monitors, verifiers that fetch keys, people who read lists. */
async function housekeeping(context: DemoContext): Promise<void> {
  const { caller, developers } = context;
  const developer = pickOne(developers);
  const { key } = developer;
  await caller.send('health', '/health');
  await caller.send('keys', '/.well-known/jwks.json');
  await caller.send('look', '/v1/agents', { key });
  await caller.send('look', '/v1/grants?pageSize=20', { key });
  await caller.send('look', '/v1/audit/entries?pageSize=20', { key });
  await acknowledgeOlderHalf(context, developer);
}

const progressOf = (counts: RequestCounts, seconds: number, rate: number, flows: number): Progress => ({
  seconds,
  rate,
  flows,
  requests: counts.requests,
  ok: counts.of(null, 'ok', 'valid', 'invalid'),
  refused: counts.of(null, 'refused', 'denied', 'unauthorized'),
  limited: counts.of(null, 'limited'),
  failed: counts.of(null, 'failed'),
  unanswered: counts.of(null, 'no answer'),
});
