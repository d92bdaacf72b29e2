import { type BackgroundLoop, createBackgroundLoop } from '../background-loop.ts';
import type { Deps } from '../deps.ts';
import type { KeyRing } from '../signing-keys/key-ring.ts';
import { signHead } from './checkpoint-jws.ts';
import {
  developersDue,
  insertCheckpoint,
  lastUnsigned,
  lockDueHead,
  scheduleNext,
} from './checkpoint-store.ts';

const LOOK_EVERY_MS = 20_000;
const AT_ONCE = 100;

type CheckpointDeps = Pick<Deps, 'db' | 'clock' | 'issuer'> & {
  readonly keys: Pick<KeyRing, 'signer' | 'published'>;
};

/**
 * Signs the last entry of each hour that has ended, for every chain, in the background. The head of a chain stays locked
 * meanwhile, so of several replicas one makes the checkpoint, and no entry of that hour can come after it unseen.
 */
export function createCheckpointMaker(deps: CheckpointDeps & Pick<Deps, 'telemetry'>): BackgroundLoop {
  const onError = (error: unknown) =>
    deps.telemetry.events.backgroundWorkFailed({ work: 'checkpoints', error });
  return createBackgroundLoop({
    step: async () => ((await makeCheckpoints(deps, onError)) ? 0 : LOOK_EVERY_MS),
    retryMs: LOOK_EVERY_MS,
    onError,
  });
}

/**
 * Makes the checkpoints that are due, at most one for each of some hundred chains.
 * @param onError called for a chain that failed; the others go on
 * @returns whether one was made, so that there may be more
 */
export async function makeCheckpoints(
  deps: CheckpointDeps,
  onError: (error: unknown) => void,
): Promise<boolean> {
  const now = new Date(deps.clock.now());
  let made = false;
  for (const developerId of await developersDue(deps.db.background, now, AT_ONCE))
    made = (await makeCheckpoint(deps, developerId, now).catch(failedWith(onError))) || made;
  return made;
}

const failedWith = (onError: (error: unknown) => void) => (error: unknown) => {
  onError(error);
  return false;
};

const makeCheckpoint = (
  { db, keys, issuer }: CheckpointDeps,
  developerId: string,
  now: Date,
): Promise<boolean> =>
  db.background.transaction(async (tx) => {
    const due = await lockDueHead(tx, developerId, now);
    if (!due) return false;
    const head = await lastUnsigned(tx, developerId, due);
    if (head) {
      const said = { iss: issuer(), developerId, madeAt: now.getTime() };
      const { kid, jws } = await signHead(keys, head, said);
      const publicJwk = keys.published().find((jwk) => jwk.kid === kid);
      if (!publicJwk) throw new Error('the key that signs is not published');
      await insertCheckpoint(tx, { ...head, developerId, madeAt: now, kid, jws, publicJwk });
    }
    await scheduleNext(tx, developerId);
    return true;
  });
