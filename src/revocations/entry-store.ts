// Readers see numbered entries only, and those up to `last_seq` are complete: both are of one snapshot.
import { bigint, float, orNull, text, textOf, texts, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import type { Entry, EntryAction } from './entry.ts';

const COLUMNS = (
  entry: string,
) => `${entry}.seq::float8 as seq, ${entry}.action, ${entry}.grant_id as "grantId", ${entry}.jti,
      ${entry}.expires_at as "expiresAt", ${entry}.at`;

/** One row with nulls where there is no entry: `lastSeq` is always told. */
const rowOfPage = {
  lastSeq: float,
  seq: orNull(float),
  action: orNull(textOf<EntryAction>()),
  grantId: orNull(text),
  jti: orNull(text),
  expiresAt: orNull(timestamp),
  at: orNull(timestamp),
};

const after = query({
  operation: 'SELECT',
  collection: 'revocation_entries',
  name: 'revocations.after',
  text: `select last_seq::float8 as "lastSeq", ${COLUMNS('entry')}
    from feed_positions left join lateral (
      select * from revocation_entries where developer_id = $developerId and seq > $after and expires_at > $now
      order by seq limit $limit) entry on true
    where feed = 'revocations' order by entry.seq`,
  params: { developerId: text, after: bigint, now: timestamp, limit: bigint },
  row: rowOfPage,
});

// A state as of the cursor: entries up to it never change, so the pages of one snapshot belong together. A suspension counts
// unless a later entry of the grant has taken its place.
const snapshot = query({
  operation: 'SELECT',
  collection: 'revocation_entries',
  name: 'revocations.snapshot',
  text: `select "lastSeq"::float8 as "lastSeq", ${COLUMNS('entry')}
    from (select least(last_seq, $cursor) as "lastSeq" from feed_positions where feed = 'revocations') position
      left join lateral (
        select * from revocation_entries one
        where developer_id = $developerId and seq > $after and seq <= "lastSeq" and expires_at > $now and action <> 'resumed'
          and (action <> 'suspended' or not exists (
            select from revocation_entries later where later.grant_id = one.grant_id and later.action <> 'token_revoked'
              and later.seq > one.seq and later.seq <= "lastSeq"))
        order by seq limit $limit) entry on true
    order by entry.seq`,
  params: { developerId: text, after: bigint, cursor: bigint, now: timestamp, limit: bigint },
  row: rowOfPage,
});

const newest = query({
  operation: 'SELECT',
  collection: 'revocation_entries',
  name: 'revocations.newest',
  text: `select ${COLUMNS('revocation_entries')}, developer_id as "developerId",
      extract(epoch from clock_timestamp() - written_at)::float8 as "ageSeconds"
    from revocation_entries
    where seq > $after and seq <= $until and developer_id = any($developerIds) and expires_at > $now
    order by revocation_entries.seq limit $limit`,
  params: { after: bigint, until: bigint, developerIds: texts, now: timestamp, limit: bigint },
  row: {
    seq: float,
    action: textOf<EntryAction>(),
    grantId: text,
    jti: orNull(text),
    expiresAt: timestamp,
    at: timestamp,
    developerId: text,
    ageSeconds: float,
  },
});

/** Some entries of one developer. */
export interface EntryPage {
  readonly entries: readonly Entry[];
  /** The number that had been given last. */
  readonly lastSeq: number;
}

type PageRow = { readonly [K in keyof Entry]: Entry[K] | null } & { readonly lastSeq: number };
const isEntry = (row: PageRow): row is Entry & PageRow => row.seq !== null;
const pageOf = (rows: readonly PageRow[]): EntryPage => ({
  entries: rows.filter(isEntry),
  lastSeq: rows[0]?.lastSeq ?? 0,
});

/** The first `limit` entries of a developer that came after a cursor and have not expired. */
export const entriesAfter = async (
  db: Queryable,
  asked: { developerId: string; after: number; now: Date; limit: number },
): Promise<EntryPage> => pageOf(await db.all(after, asked));

/**
 * What was revoked or suspended when `cursor` was the last number, and has not expired, `limit` entries after `after`.
 * @param asked `cursor` `Number.MAX_SAFE_INTEGER`: now
 */
export const snapshotPage = async (
  db: Queryable,
  asked: { developerId: string; after: number; cursor: number; now: Date; limit: number },
): Promise<EntryPage> => pageOf(await db.all(snapshot, asked));

/** An entry for those who follow the feed. */
export interface FollowedEntry extends Entry {
  readonly developerId: string;
  /** How long ago it was written, by the clock of the database. */
  readonly ageSeconds: number;
}

/** The first `limit` entries of these developers in (`after`, `until`], in their order. */
export const newestEntries = (
  db: Queryable,
  asked: { after: number; until: number; developerIds: readonly string[]; now: Date; limit: number },
): Promise<FollowedEntry[]> => db.all(newest, asked);
