import { type BackgroundLoop, createBackgroundLoop } from '../background-loop.ts';
import type { Deps } from '../deps.ts';
import { noteUses } from './keys-store.ts';

const WRITE_EVERY_MS = 60_000;
const KEYS_AT_ONCE = 1000;

export interface KeyUses extends BackgroundLoop {
  /** An API key has let a request in. It only remembers the moment. */
  keyUsed(keyHash: Buffer): void;
}

/**
 * Remembers when API keys were last used, and writes it to their rows in the background: once a minute, and at the stop. What
 * could not be written is written the next time. What a crash loses is a minute of `lastUsedAt`. Replicas that share the keys write each key at most once a minute.
 */
export function createKeyUses(
  { db, clock, telemetry }: Pick<Deps, 'db' | 'clock' | 'telemetry'>,
  { writeEveryMs = WRITE_EVERY_MS } = {},
): KeyUses {
  let uses = new Map<string, number>();
  const write = async () => {
    const noted = [...uses];
    uses = new Map();
    let from = 0;
    try {
      for (; from < noted.length; from += KEYS_AT_ONCE)
        await noteUses(db.background, noted.slice(from, from + KEYS_AT_ONCE), writeEveryMs / 1000);
    } finally {
      // What was not written waits for the next time. Of a key that was used meanwhile, the later use stays.
      for (const [hash, at] of noted.slice(from)) if (!uses.has(hash)) uses.set(hash, at);
    }
  };
  let first = true;
  const loop = createBackgroundLoop({
    retryMs: writeEveryMs,
    async step() {
      if (!first) await write();
      first = false;
      return writeEveryMs;
    },
    onError: (error) => telemetry.events.backgroundWorkFailed({ work: 'key_uses', error }),
    atEnd: write,
  });
  return { ...loop, keyUsed: (keyHash) => void uses.set(keyHash.toString('base64'), clock.now()) };
}
