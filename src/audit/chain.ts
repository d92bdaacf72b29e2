import { sha256 } from '../hash.ts';

export type AuditStatus = 'success' | 'failure' | 'blocked';

/** The members of an entry that its hash covers. */
export interface HashedEntry {
  readonly entryId: string;
  readonly agentId: string;
  readonly grantId: string;
  readonly action: string;
  readonly status: AuditStatus;
  /** ISO 8601, UTC. */
  readonly timestamp: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly prevHash: string | null;
}

/** JSON without white space, in which the keys of each object are sorted by UTF-16 code units (as in RFC 8785). */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(',')}}`;
}

/**
 * The hash of an entry: SHA-256 in 64 hex characters over its canonical JSON, which includes the previous entry's hash.
 */
export function entryHash(entry: HashedEntry): string {
  const { entryId, agentId, grantId, action, status, timestamp, metadata, prevHash } = entry;
  return sha256(
    canonicalJson({ entryId, agentId, grantId, action, status, timestamp, metadata, prevHash }),
  ).toString('hex');
}

/**
 * Checks the chain of a developer, oldest entry first.
 * @param after the hash of the last entry that retention removed (`audit_prefixes`); null: the chain is complete
 * @returns null when the chain is intact; otherwise the first entry that was altered or that follows a removed or
 * inserted one
 */
export function firstBrokenEntry(
  entries: Iterable<HashedEntry & { readonly hash: string }>,
  after: string | null = null,
): string | null {
  let previous = after;
  for (const entry of entries) {
    if (entry.prevHash !== previous || entry.hash !== entryHash(entry)) return entry.entryId;
    previous = entry.hash;
  }
  return null;
}
