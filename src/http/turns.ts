import type { Response } from 'express';
import { TooManyError } from '../errors.ts';
import { requestScope } from '../request-scope.ts';

const RETRY_SECONDS = 1;

/** Turns of developers at work that may hold much memory, or the event loop for long. */
export interface Turns {
  /**
   * Waits for a turn of this developer.
   * @returns gives the turn back; further calls do nothing. null: too many of its requests wait already
   */
  take(developerId: string): Promise<(() => void) | null>;
}

interface Line {
  held: number;
  readonly waiting: (() => void)[];
}

/**
 * Every developer has `atOnce` turns and a queue of its own, so that nobody waits behind somebody else.
 * @param limits `waiting`: the most requests in the queue of one developer
 */
export function createTurns({ atOnce, waiting }: { atOnce: number; waiting: number }): Turns {
  // Only developers that hold a turn have a line, so the map stays as small as the work under way.
  const lines = new Map<string, Line>();
  const holdOne = (developerId: string, line: Line) => {
    let given = false;
    return () => {
      if (given) return;
      given = true;
      const next = line.waiting.shift();
      if (next) next();
      else if (--line.held === 0) lines.delete(developerId);
    };
  };
  return {
    async take(developerId) {
      const line = lines.get(developerId) ?? { held: 0, waiting: [] };
      lines.set(developerId, line);
      if (line.held < atOnce) line.held++;
      else if (line.waiting.length >= waiting) return null;
      else await new Promise<void>((resolve) => line.waiting.push(resolve));
      return holdOne(developerId, line);
    },
  };
}

/**
 * Waits for a turn of the developer of this request, and holds it until the answer is sent. A client that does not read keeps
 * its turn, and so the memory that one developer can claim is bounded.
 * @param onRefused called with the seconds after which to try again
 * @throws RATE_LIMITED when too many of its requests wait already
 */
export async function holdTurn(
  turns: Turns,
  res: Response,
  onRefused: (retryAfter: number) => void,
): Promise<void> {
  const developerId = requestScope()?.developerId;
  if (!developerId) return;
  const giveBack = await turns.take(developerId);
  if (giveBack) {
    if (res.closed) giveBack();
    else res.once('close', giveBack);
    return;
  }
  onRefused(RETRY_SECONDS);
  throw new TooManyError(RETRY_SECONDS);
}
