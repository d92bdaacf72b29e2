import { entryHash, type HashedEntry } from '../../src/audit/chain.ts';

/** An entry as the API answers it. */
export type ChainEntry = HashedEntry & { readonly hash: string };

/**
 * Checks entries as whoever reads them from the API can, oldest first.
 * @param after the hash of the entry before the first one; null: there is none
 * @returns the first entry that was altered or that follows a removed or inserted one; null: the chain is intact
 */
export function firstBrokenEntry(entries: Iterable<ChainEntry>, after: string | null = null): string | null {
  let previous = after;
  for (const entry of entries) {
    if (entry.prevHash !== previous || entry.hash !== entryHash(entry)) return entry.entryId;
    previous = entry.hash;
  }
  return null;
}
