import { exchangeInvalidCode, reuseRefreshToken } from './agent-flow.ts';
import { ANOMALIES, triggerAnomaly } from './anomalies.ts';
import type { DemoContext } from './context.ts';
import type { Developer } from './developers.ts';
import { pause } from './pacing.ts';
import { pickOne } from './random.ts';

/** Faults that the public API can cause, each with the alert that it leads to. */
export const DRILLS: Readonly<Record<string, { readonly leadsTo: string; readonly run: Drill }>> = {
  'bad-codes': {
    leadsTo: 'token exchange failure rate over 15 %',
    run: (context, perSecond) =>
      repeat(context, perSecond, () => {
        const developer = pickOne(context.developers);
        return exchangeInvalidCode(context, developer, pickOne(developer.agents));
      }),
  },
  'reused-refresh': {
    leadsTo: 'token refresh failure rate over 15 %',
    run: (context, perSecond) =>
      repeat(context, perSecond, () => {
        const developer = sandboxOf(context);
        return reuseRefreshToken(context, developer, pickOne(developer.agents));
      }),
  },
  'broken-receivers': {
    leadsTo: 'webhook delivery success below 95 %',
    run: async ({ receivers, signal }) => {
      receivers.setDown(true);
      await aborted(signal);
      receivers.setDown(false);
    },
  },
  flood: {
    leadsTo: 'more than 200 answers 429 a minute',
    run: async (context) => {
      const key = await newSession(context);
      await repeat(context, FLOOD_PER_SECOND, () => poll(context, key));
    },
  },
  anomalies: {
    leadsTo: 'more than 10 anomalies an hour',
    run: (context) =>
      repeat(context, 1, () => triggerAnomaly(context, sandboxOf(context), pickOne(ANOMALIES))),
  },
  scanner: {
    leadsTo: 'HTTP error rate',
    run: (context, perSecond) =>
      repeat(context, 2 * perSecond, () =>
        context.caller.send('unknown path', `/wp-admin/${Math.random()}.php`),
      ),
  },
};
/** Causes one fault until the demo ends. `perSecond` is the rate of the ordinary traffic. */
type Drill = (context: DemoContext, perSecond: number) => Promise<void>;

/** One session may make 120 requests a minute, so the service refuses most of these. */
const FLOOD_PER_SECOND = 10;

/**
 * Polls with one session until the service has refused it eight times. Ordinary traffic contains such impatient pages,
 * too.
 */
export async function pollUntilLimited(context: DemoContext): Promise<void> {
  const key = await newSession(context);
  const refusals = 8;
  for (let refused = 0, sent = 0; refused < refusals && sent < 400 && !context.signal.aborted; sent++)
    if ((await poll(context, key)).status === 429) refused++;
}

async function newSession(context: DemoContext): Promise<string | undefined> {
  const { key, principals } = sandboxOf(context);
  const { caller } = context;
  const asked = { principalId: pickOne(principals) };
  return (await caller.post('principal session', '/v1/principal-sessions', key, asked)).body.sessionToken;
}

/** Counted separately, because the session limits it. */
const poll = ({ caller }: DemoContext, key: string | undefined) =>
  caller.send('poll', '/v1/principal/audit?pageSize=1', { key });

/** A sandbox developer, whose requests need no person; any developer when there is none. */
export function sandboxOf({ developers }: DemoContext): Developer {
  const sandboxes = developers.filter(({ mode }) => mode === 'sandbox');
  return pickOne(sandboxes.length > 0 ? sandboxes : developers);
}

async function repeat(
  { signal }: DemoContext,
  perSecond: number,
  act: () => Promise<unknown>,
): Promise<void> {
  while (!signal.aborted) {
    await Promise.all([act(), pause(1000 / perSecond, signal)]);
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve());
  });
