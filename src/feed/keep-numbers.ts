import type { Queryable } from '../db/queryable.ts';
import type { Deps } from '../deps.ts';

const AT_ONCE = 5000;
const FORGET_EVERY_MS = 10_000;
const FORGOTTEN_AT_ONCE = 2000;

/** What a look at a feed shows. */
export interface Look {
  /** The number that was given last. */
  readonly lastSeq: number;
  /** How long the oldest entry without a number has been there; null: there is none. */
  readonly waitingSeconds: number | null;
}

/** The statements of one feed. */
export interface NumberingSteps {
  /** `due`: there is something to number. */
  look(): Promise<Look & { readonly due: boolean }>;
  /** Numbers up to `limit` entries, if it has the turn. @returns whether there may be more */
  number(tx: Queryable, limit: number): Promise<boolean>;
  /** Removes up to `limit` entries that nobody needs any more. @returns how many */
  forget(limit: number): Promise<number>;
}

/** A look at the feed by which all entries that could be numbered are numbered. */
export interface Numbering {
  /** Numbers what waits, unless another replica does it, and removes old entries now and then. */
  look(): Promise<Look & { readonly more: boolean }>;
}

/** Any number of replicas may do it at once: one numbers, the others look. */
export function createNumbering({ db }: Pick<Deps, 'db'>, steps: NumberingSteps): Numbering {
  let forgottenAt = Number.NEGATIVE_INFINITY;
  const forget = async () => {
    if (performance.now() - forgottenAt < FORGET_EVERY_MS) return;
    if ((await steps.forget(FORGOTTEN_AT_ONCE)) < FORGOTTEN_AT_ONCE) forgottenAt = performance.now();
  };
  return {
    async look() {
      const before = await steps.look();
      await forget();
      if (!before.due) return { ...before, more: false };
      const more = await db.background.transaction((tx) => steps.number(tx, AT_ONCE));
      return { ...(await steps.look()), more };
    },
  };
}
