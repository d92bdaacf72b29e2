import { ANOMALIES, giveCause } from './anomalies.ts';
import type { Developer } from './cast.ts';
import { oneOf, pause } from './chance.ts';
import type { Stage } from './stage.ts';
import { badCode, reuse } from './walk.ts';

/** Faults that can be played through the public API, each under the alert that it leads to. */
export const DRILLS: Readonly<Record<string, { readonly leadsTo: string; readonly play: Drill }>> = {
  'bad-codes': {
    leadsTo: 'token exchange failure rate over 15 %',
    play: (stage, perSecond) =>
      repeat(stage, perSecond, () => {
        const developer = oneOf(stage.developers);
        return badCode(stage, developer, oneOf(developer.agents));
      }),
  },
  'reused-refresh': {
    leadsTo: 'token refresh failure rate over 15 %',
    play: (stage, perSecond) =>
      repeat(stage, perSecond, () => {
        const developer = sandboxOf(stage);
        return reuse(stage, developer, oneOf(developer.agents));
      }),
  },
  'broken-receivers': {
    leadsTo: 'webhook delivery success below 95 %',
    play: async ({ receivers, signal }) => {
      receivers.setDown(true);
      await over(signal);
      receivers.setDown(false);
    },
  },
  flood: {
    leadsTo: 'more than 200 answers 429 a minute',
    play: async (stage) => {
      const key = await newSession(stage);
      await repeat(stage, FLOOD_PER_SECOND, () => poll(stage, key));
    },
  },
  anomalies: {
    leadsTo: 'more than 10 anomalies an hour',
    play: (stage) => repeat(stage, 1, () => giveCause(stage, sandboxOf(stage), oneOf(ANOMALIES))),
  },
  scanner: {
    leadsTo: 'HTTP error rate',
    play: (stage, perSecond) =>
      repeat(stage, 2 * perSecond, () => stage.caller.send('unknown path', `/wp-admin/${Math.random()}.php`)),
  },
};
/** Plays one fault until the demo ends; `perSecond` is the rate of the ordinary traffic. */
type Drill = (stage: Stage, perSecond: number) => Promise<void>;

/** Of 120 requests a minute that one session may make, most are then refused. */
const FLOOD_PER_SECOND = 10;

/** What an impatient page does, in ordinary traffic too: it polls with one session until it is told to wait, then a little on. */
export async function impatientPage(stage: Stage): Promise<void> {
  const key = await newSession(stage);
  const refusals = 8;
  for (let refused = 0, asked = 0; refused < refusals && asked < 400 && !stage.signal.aborted; asked++)
    if ((await poll(stage, key)).status === 429) refused++;
}

async function newSession(stage: Stage): Promise<string | undefined> {
  const { key, principals } = sandboxOf(stage);
  const { caller } = stage;
  const asked = { principalId: oneOf(principals) };
  return (await caller.post('principal session', '/v1/principal-sessions', key, asked)).body.sessionToken;
}

/** Counted apart, because what limits it is the session. */
const poll = ({ caller }: Stage, key: string | undefined) =>
  caller.send('poll', '/v1/principal/audit?pageSize=1', { key });

/** A developer whose requests need no person, or the first where there is none. */
export function sandboxOf({ developers }: Stage): Developer {
  const sandboxes = developers.filter(({ mode }) => mode === 'sandbox');
  return oneOf(sandboxes.length > 0 ? sandboxes : developers);
}

async function repeat({ signal }: Stage, perSecond: number, act: () => Promise<unknown>): Promise<void> {
  while (!signal.aborted) {
    await Promise.all([act(), pause(1000 / perSecond, signal)]);
  }
}

const over = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve());
  });
