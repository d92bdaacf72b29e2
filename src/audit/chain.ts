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

/** All that is stored of an entry, and the `rowHash` of the entry before it. */
export interface CoveredEntry extends HashedEntry {
  readonly seq: number;
  readonly developerId: string;
  readonly agentDid: string;
  readonly principalId: string;
  readonly hash: string;
  /** null: there is no entry before it, or an older release wrote that one. */
  readonly prevRowHash: string | null;
}

/**
 * The second hash of an entry, which covers what `entryHash` leaves out: SHA-256 in 64 hex characters over the canonical JSON
 * of all its members, with the second hash of the previous entry.
 */
export function rowHash(entry: CoveredEntry): string {
  const { entryId, agentId, grantId, action, status, timestamp, metadata, prevHash } = entry;
  const { seq, developerId, agentDid, principalId, hash, prevRowHash } = entry;
  const common = { entryId, agentId, grantId, action, status, timestamp, metadata, prevHash };
  return sha256(
    canonicalJson({ ...common, seq, developerId, agentDid, principalId, hash, prevRowHash }),
  ).toString('hex');
}
