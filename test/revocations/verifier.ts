import type { TestService } from '../support/service.ts';
import { openStream, type ReadEntry } from './follow.ts';

/** Somebody who verifies offline, and follows the feed from whichever replica answers. */
export interface Verifier {
  /** In the order in which they came. */
  readonly entries: readonly ReadEntry[];
  /** Milliseconds from the revocation to the arrival of each entry. */
  readonly ages: readonly number[];
  /** How often it had to connect anew. */
  readonly interruptions: () => number;
  stop(): Promise<void>;
}

/**
 * Takes a snapshot and follows from its cursor. After an interruption it goes on from the last cursor that it has, on the next
 * replica.
 * @param services those that run now
 */
export function follow(
  services: () => readonly TestService[],
  {
    key,
    transport,
    since,
    first,
  }: { key: string; transport: 'poll' | 'stream'; since: number; first: number },
): Verifier {
  const entries: ReadEntry[] = [];
  const ages: number[] = [];
  const stopping = new AbortController();
  let cursor = since;
  let interruptions = 0;
  let turn = first;
  const take = (some: readonly ReadEntry[]) => {
    for (const entry of some) {
      entries.push(entry);
      ages.push(Date.now() - Date.parse(entry.at));
      cursor = entry.seq;
    }
  };
  const poll = async (service: TestService) => {
    const { status, body } = await service.request('GET', `/v1/revocations?since=${cursor}&wait=1`, { key });
    if (status !== 200) throw new Error(`poll: ${status}`);
    take(body.entries);
    cursor = body.cursor;
  };
  const stream = async (service: TestService) => {
    const opened = await openStream(service, `/v1/revocations/stream?since=${cursor}`, { key });
    let read = 0;
    const readOn = () => {
      const all = opened.entries();
      take(all.slice(read));
      read = all.length;
    };
    opened.response.on('data', readOn);
    stopping.signal.addEventListener('abort', opened.close);
    await opened.ended;
    readOn();
    if (!stopping.signal.aborted) interruptions += 1;
  };
  const run = async () => {
    while (!stopping.signal.aborted) {
      const all = services();
      const service = all[turn++ % all.length] as TestService;
      try {
        await (transport === 'poll' ? poll : stream)(service);
      } catch {
        // A replica that was killed, or whose database connections were: the next one.
        interruptions += 1;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  };
  const running = run();
  return {
    entries,
    ages,
    interruptions: () => interruptions,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** The value below which a part of the values lies. */
export const quantile = (values: readonly number[], part: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))] ?? 0;
