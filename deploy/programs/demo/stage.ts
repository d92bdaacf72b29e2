import type { Caller } from './caller.ts';
import type { Developer } from './cast.ts';
import type { Receivers } from './receivers.ts';

/** What every part of the demo works with. */
export interface Stage {
  readonly caller: Caller;
  readonly developers: readonly Developer[];
  readonly receivers: Receivers;
  /** Aborted when the time is over, or by Ctrl-C: what is under way ends, and nothing begins. */
  readonly signal: AbortSignal;
  /** Public pages are limited by address, which everything here shares. */
  readonly pages: Budget;
  /** Grants that fell with agents which the demo deleted: no list shows them any more. */
  fallenWithAgents: number;
  /** When the last of the grants that were given a short life will have run out, by `performance.now()`. */
  runOutAt: number;
}

/** So many times within a minute, and no more. */
export class Budget {
  readonly #times: number[] = [];
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  /** @returns whether there was enough left, which is then used up */
  take(count: number): boolean {
    const now = performance.now();
    while (this.#times[0] !== undefined && this.#times[0] < now - 61_000) this.#times.shift();
    if (this.#times.length + count > this.#most) return false;
    for (let each = 0; each < count; each++) this.#times.push(now);
    return true;
  }
}
