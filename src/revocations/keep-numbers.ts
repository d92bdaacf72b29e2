import type { Deps } from '../deps.ts';
import { forgetExpired, type Look, lookAtFeed, numberEntries } from './numbering-store.ts';

const AT_ONCE = 5000;
const FORGET_EVERY_MS = 10_000;
const FORGOTTEN_AT_ONCE = 2000;

/** A look at the feed by which all entries that could be numbered are numbered. */
export interface Numbering {
  /** Numbers what waits, unless another replica does it, and removes expired entries now and then. */
  look(): Promise<Look & { readonly more: boolean }>;
}

/** Any number of replicas may do it at once: one numbers, the others look. */
export function createNumbering({ db, clock }: Pick<Deps, 'db' | 'clock'>): Numbering {
  let forgottenAt = Number.NEGATIVE_INFINITY;
  const forget = async () => {
    if (performance.now() - forgottenAt < FORGET_EVERY_MS) return;
    const removed = await forgetExpired(db.background, {
      now: new Date(clock.now()),
      limit: FORGOTTEN_AT_ONCE,
    });
    if (removed < FORGOTTEN_AT_ONCE) forgottenAt = performance.now();
  };
  const number = () =>
    db.background.transaction((tx) => numberEntries(tx, { limit: AT_ONCE, now: new Date(clock.now()) }));
  return {
    async look() {
      const before = await lookAtFeed(db.background);
      if (before.waitingSeconds === null && !before.toRepeat) {
        await forget();
        return { ...before, more: false };
      }
      const more = await number();
      return { ...(await lookAtFeed(db.background)), more };
    },
  };
}
