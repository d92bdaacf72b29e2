import type { Caller } from './caller.ts';
import type { Developer } from './developers.ts';
import type { Receivers } from './receivers.ts';

/** The state that all parts of the demo share. */
export interface DemoContext {
  readonly caller: Caller;
  readonly developers: readonly Developer[];
  readonly receivers: Receivers;
  /** Aborted when the time is over, or by Ctrl-C. Work under way then ends, and none begins. */
  readonly signal: AbortSignal;
  /** The service limits public pages by address, and all parts of the demo have the same address. */
  readonly pageLimiter: RateLimiter;
  /** Grants that were revoked because the demo deleted their agent. No list contains them any more. */
  revokedWithAgents: number;
  /** When the last grant with a short life expires, by `performance.now()`. */
  shortGrantsEndAt: number;
}

/** Allows a number of requests within any minute. */
export class RateLimiter {
  readonly #times: number[] = [];
  readonly #perMinute: number;

  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  /** Reserves `count` requests if the limit allows all of them. @returns whether it did */
  tryTake(count: number): boolean {
    const now = performance.now();
    while (this.#times[0] !== undefined && this.#times[0] < now - 61_000) this.#times.shift();
    if (this.#times.length + count > this.#perMinute) return false;
    for (let each = 0; each < count; each++) this.#times.push(now);
    return true;
  }
}
