import { historyMs } from '../anomalies/history.ts';
import type { Config } from '../config.ts';
import { REMEMBERED_DAYS } from '../db/removed-counts.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** A detection that began a little earlier still reads what it began with. */
const MARGIN_MS = 60 * 60 * 1000;

/** What ended before these times is to go. */
export interface Cutoffs {
  /** Requests, tokens, used refresh tokens and acknowledged anomalies. */
  readonly rows: Date;
  /** Grants. */
  readonly grants: Date;
  /** Grants whose tokens and refresh tokens are to go: a token never outlives the row of its grant. */
  readonly tokensOfGrants: Date;
  /** Audit entries; null: they stay for ever. */
  readonly audit: Date | null;
  /** What only explains a gap between counts and rows: `npm run reconcile` looks back no further. */
  readonly explanations: Date;
}

/** The times as of `now`. Nothing goes that the detection of anomalies may still look at, however short the retention is. */
export function cutoffsAt(config: Config, now: number): Cutoffs {
  const history = historyMs(config) + MARGIN_MS;
  const before = (days: number) => now - Math.max(days * DAY_MS, history);
  const rows = before(config.retentionDays);
  const grants = before(config.grantRetentionDays);
  return {
    rows: new Date(rows),
    grants: new Date(grants),
    tokensOfGrants: new Date(Math.max(rows, grants)),
    explanations: new Date(now - REMEMBERED_DAYS * DAY_MS),
    audit: config.auditRetentionDays === 0 ? null : new Date(before(config.auditRetentionDays)),
  };
}
