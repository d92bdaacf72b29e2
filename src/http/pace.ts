import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';

/** The time between two answers. A client that asks one by one hardly notices. */
const APART_MS = 20;
/** No answer is held back for longer, so a requester with many connections is answered more often. */
const LONGEST_MS = 1_000;

/**
 * Holds refusals back, so that those of one requester are sent one by one. A loop that ignores them would otherwise take as
 * much of the service as all other requesters together.
 */
export type Pace = (requester: string) => Promise<void> | undefined;

/** Remembers at most `maxKeys` requesters, and forgets the one that was refused least recently. */
export function createPace(maxKeys: number): Pace {
  const nextAt = pacer(maxKeys);
  return (requester) => {
    const now = performance.now();
    const waitMs = nextAt(requester, now) - now;
    return waitMs > 0 ? sleep(waitMs) : undefined;
  };
}

/** @returns when the next refusal of a requester may be sent, in the time of `now`, in milliseconds */
export function pacer(maxKeys: number): (requester: string, now: number) => number {
  const free = new LRUCache<string, number>({ max: maxKeys });
  return (requester, now) => {
    const at = Math.min(Math.max(now, free.get(requester) ?? 0), now + LONGEST_MS);
    free.set(requester, at + APART_MS);
    return at;
  };
}
