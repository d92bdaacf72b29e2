import { entryHash, rowHash } from './chain.ts';
import type { StoredEntry } from './chain-store.ts';

/**
 * Why a chain is broken. `link`: an entry is missing, or one that was not appended stands in its place. `content`: an entry is
 * not what was appended.
 */
export type BreakReason = 'link' | 'content';

/** The first entry that shows that a chain is broken; null: no entry is left that could. */
export interface Break {
  readonly firstBrokenAt: string | null;
  readonly reason: BreakReason;
}

/** The hashes of the entry before. */
interface Before {
  readonly hash: string | null;
  readonly rowHash: string | null;
}

/**
 * Checks the entries of a chain one after the other.
 *
 * An entry without a second hash was written by an older release, and only `hash` protects it. The next entry with a second
 * hash proves that: it was computed as following an entry without one. So a second hash that somebody has removed is found.
 * @param start the hashes of the entry before the first one; null: it was removed, and they are not known
 */
export function createEntryCheck(start: Before | null): (entry: StoredEntry) => Break | null {
  let before = start;
  /** The first entry without a second hash after one that had it. */
  let bare: string | null = null;
  return (entry) => {
    const { id, createdAt, prevHash } = entry;
    const hashed = { ...entry, entryId: id, timestamp: createdAt.toISOString() };
    if (before && prevHash !== before.hash) return { firstBrokenAt: id, reason: 'link' };
    if (entry.hash !== entryHash(hashed)) return { firstBrokenAt: id, reason: 'content' };
    if (entry.rowHash !== null) {
      if (before && entry.rowHash !== rowHash({ ...hashed, prevRowHash: before.rowHash }))
        return { firstBrokenAt: bare ?? id, reason: 'content' };
      bare = null;
    } else if (before && before.rowHash !== null) bare = id;
    before = { hash: entry.hash, rowHash: entry.rowHash };
    return null;
  };
}
