import { ANOMALIES, acknowledgeSome, giveCause } from './anomalies.ts';
import { Caller } from './caller.ts';
import { createCast } from './cast.ts';
import { oneOf, pause, wave } from './chance.ts';
import { DRILLS, impatientPage, sandboxOf } from './drills.ts';
import { changeOf, deliveriesOf, detect, drained, removeWebhooks, runOut } from './finish.ts';
import { opening } from './opening.ts';
import { Receivers } from './receivers.ts';
import { expectedOf, type Summary } from './report.ts';
import { Budget, type Stage } from './stage.ts';
import { Tally } from './tally.ts';
import { MISHAPS, walk } from './walk.ts';

export interface DemoOptions {
  /** Of the service, without a path. */
  readonly url: string;
  /** How long traffic is sent; looking at what became of it takes up to half a minute more. */
  readonly seconds: number;
  /** Walks per second, in the mean of the day; each is about ten requests. */
  readonly rate: number;
  /** Length of the day that the wave goes through. */
  readonly daySeconds: number;
  /** Names of `DRILLS` that are played all the while. */
  readonly drills: readonly string[];
  /** API keys of developers to use; empty: four sign up. */
  readonly keys: readonly string[];
  /** The name by which the service reaches this machine. */
  readonly receiverHost: string;
  /** Ends the traffic early; the summary is made all the same. */
  readonly signal: AbortSignal;
  /** Told about once a second. */
  readonly onProgress: (progress: Progress) => void;
  /** Told of what the reader should know. */
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
  readonly walks: number;
}

const TICK_MS = 50;
/** More walks at once are not begun: a service that hangs is not to be buried. */
const MOST_WALKS = 200;
/** Of the 120 requests a minute that one address may make of public pages. */
const PAGES_A_MINUTE = 100;

/**
 * Plays the demo to its end, by the public HTTP API alone.
 * @throws {DemoError} when there is no service, or no developer to be had
 */
export async function runDemo(options: DemoOptions): Promise<Summary> {
  const { url, seconds, rate, daySeconds, signal: stop, onProgress } = options;
  const tally = new Tally();
  const caller = new Caller(url, tally);
  const notes: string[] = [];
  const note = (text: string) => {
    notes.push(text);
    options.onNote(text);
  };
  const receivers = await Receivers.start(options.receiverHost);
  const begun = performance.now();
  const elapsed = () => (performance.now() - begun) / 1000;
  try {
    const developers = await createCast(caller, receivers, { keys: options.keys, warn: note });
    const signal = AbortSignal.any([stop, AbortSignal.timeout(seconds * 1000)]);
    const pages = new Budget(PAGES_A_MINUTE);
    const stage: Stage = { caller, developers, receivers, signal, pages, fallenWithAgents: 0, runOutAt: 0 };

    const walks = new Set<Promise<void>>();
    const start = (work: Promise<void>) => {
      const one = work.finally(() => walks.delete(one));
      walks.add(one);
    };
    for (const developer of developers) start(opening(stage, developer));
    for (const anomaly of ANOMALIES) start(giveCause(stage, sandboxOf(stage), anomaly));
    for (const mishap of MISHAPS) {
      const developer = sandboxOf(stage);
      start(mishap(stage, developer, oneOf(developer.agents)).then(() => undefined));
    }
    start(impatientPage(stage));
    for (const name of options.drills) if (DRILLS[name]) start(DRILLS[name].play(stage, rate));

    let due = 0;
    let begunWalks = 0;
    let told = 0;
    for (let tick = 0; !signal.aborted; tick++) {
      const now = rate * wave(elapsed(), daySeconds);
      due = Math.min(due + (now * TICK_MS) / 1000, MOST_WALKS);
      for (; due >= 1 && walks.size < MOST_WALKS; due--) {
        start(walk(stage));
        begunWalks++;
      }
      if (tick % HOUSEKEEPING_TICKS === HOUSEKEEPING_TICKS - 1) start(housekeeping(stage));
      if (elapsed() >= told + 1) {
        told = elapsed();
        onProgress(progressOf(tally, told, now, begunWalks));
      }
      await pause(TICK_MS, signal);
    }
    await Promise.all(walks);

    if (!(await drained(stage))) note('some deliveries were still under way at the end');
    await runOut(stage);
    await detect(stage);
    const deliveries = await deliveriesOf(stage);
    await removeWebhooks(stage);
    const totals = await changeOf(stage);
    if (totals.byType['off_hours_activity'] === undefined)
      note(
        'no off_hours_activity: it is day. Start the service with ANOMALY_OFF_HOURS_START=00:00 ANOMALY_OFF_HOURS_END=00:00, by which every hour is an off hour',
      );
    const { requests } = tally;
    const sources = { tally, totals, deliveries, fallenWithAgents: stage.fallenWithAgents };
    const expected = expectedOf(sources);
    const received = receivers.answered;
    return {
      seconds: elapsed(),
      requests,
      acts: tally.rows(),
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

/** What happens beside the agents' business: monitors, verifiers that fetch keys, people who look at lists. */
async function housekeeping(stage: Stage): Promise<void> {
  const { caller, developers } = stage;
  const developer = oneOf(developers);
  const { key } = developer;
  await caller.send('health', '/health');
  await caller.send('keys', '/.well-known/jwks.json');
  await caller.send('look', '/v1/agents', { key });
  await caller.send('look', '/v1/grants?pageSize=20', { key });
  await caller.send('look', '/v1/audit/entries?pageSize=20', { key });
  await acknowledgeSome(stage, developer);
}

const progressOf = (tally: Tally, seconds: number, rate: number, walks: number): Progress => ({
  seconds,
  rate,
  walks,
  requests: tally.requests,
  ok: tally.of(null, 'ok', 'valid', 'invalid'),
  refused: tally.of(null, 'refused', 'denied', 'unauthorized'),
  limited: tally.of(null, 'limited'),
  failed: tally.of(null, 'failed'),
  unanswered: tally.of(null, 'no answer'),
});
