import { setImmediate } from 'node:timers/promises';
import type { Queryable } from '../db/queryable.ts';
import type { PublicJwk } from '../signing-keys/store.ts';
import {
  boundsOfTime,
  type ChainState,
  chainState,
  entriesAfter,
  entryBefore,
  type StoredEntry,
} from './chain-store.ts';
import { type FindKey, isSound } from './checkpoint-jws.ts';
import { type Checkpoint, checkpointsAfter, storedKey } from './checkpoint-store.ts';
import { type Break, createEntryCheck } from './entry-check.ts';

/** Entries of one statement. Each has at most some 20 KB. */
const ENTRIES_AT_ONCE = 250;
const CHECKPOINTS_AT_ONCE = 100;
/** Entries that are hashed before other work gets its turn. */
const BETWEEN_TURNS = 25;

/** What a verification has found. */
export interface Verification {
  readonly valid: boolean;
  readonly checkedEntries: number;
  /** How many checkpoints agreed with their entries. */
  readonly checkedCheckpoints: number;
  readonly firstBrokenAt: string | null;
  readonly reason: Break['reason'] | null;
  /** The last entry that was checked; null: none was. */
  readonly head: { readonly entryId: string; readonly hash: string; readonly seq: number } | null;
}

export interface VerifyDeps {
  readonly db: Queryable;
  /** Public keys that are known without the database, which come first. */
  readonly published: () => readonly PublicJwk[];
}

export interface VerifyInput {
  readonly developerId: string;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
  /** Ends the work between two statements. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Recomputes a chain, or a time of it, and compares it with its checkpoints. It reads in small statements and keeps one page
 * in memory, however long the chain is. Entries that are appended meanwhile are not looked at.
 *
 * A chain whose beginning was removed under a checkpoint is valid. Without `until` the chain must also end where its head, and
 * its last checkpoint, say that it ends.
 * @throws what `signal` was aborted with
 */
export async function verifyChain(deps: VerifyDeps, input: VerifyInput): Promise<Verification> {
  const findKey = rememberedKeys(deps);
  let state = await chainState(deps.db, input.developerId);
  for (;;) {
    const found = await walk(deps.db, input, state, findKey);
    if (found.valid) return found;
    // Retention may have removed entries meanwhile. It comes to an end.
    const now = await chainState(deps.db, input.developerId);
    if (now.prefix?.hash === state.prefix?.hash && now.firstSeq === state.firstSeq) return found;
    state = now;
  }
}

function rememberedKeys({ db, published }: VerifyDeps): FindKey {
  const known = new Map<string, PublicJwk | undefined>(published().map((jwk) => [jwk.kid, jwk]));
  return async (kid) => {
    if (!known.has(kid)) known.set(kid, await storedKey(db, kid));
    return known.get(kid);
  };
}

interface Span {
  /** Entries after this number, up to `last`. */
  readonly after: number;
  readonly last: number;
  /** Checkpoints after this number, up to `lastCheckpoint`. */
  readonly afterCheckpoint: number;
  readonly lastCheckpoint: number;
  /** The hashes of the entry before. */
  readonly start: { readonly hash: string | null; readonly rowHash: string | null } | null;
  readonly toTheEnd: boolean;
}

async function walk(
  db: Queryable,
  input: VerifyInput,
  state: ChainState,
  findKey: FindKey,
): Promise<Verification> {
  const { developerId, signal } = input;
  let checkedEntries = 0;
  let checkedCheckpoints = 0;
  let last: StoredEntry | undefined;
  const result = (broken: Break | null): Verification => ({
    valid: broken === null,
    checkedEntries,
    checkedCheckpoints,
    firstBrokenAt: broken?.firstBrokenAt ?? null,
    reason: broken?.reason ?? null,
    head: last ? { entryId: last.id, hash: last.hash, seq: last.seq } : null,
  });

  const span = await spanOf(db, input, state, findKey);
  if (span === null) return result(null);
  if ('reason' in span) return result(span);
  const { after, afterCheckpoint, lastCheckpoint } = span;
  const checkpoints = pages(afterCheckpoint, (from) =>
    checkpointsAfter(db, { developerId, after: from, last: lastCheckpoint, limit: CHECKPOINTS_AT_ONCE }),
  );
  const next = async (): Promise<Checkpoint | undefined> => (await checkpoints.next()).value ?? undefined;
  let checkpoint = await next();
  const check = createEntryCheck(span.start);
  const entries = pages(after, (from) => {
    signal?.throwIfAborted();
    return entriesAfter(db, { developerId, after: from, last: span.last, limit: ENTRIES_AT_ONCE });
  });
  for await (const entry of entries) {
    const broken = check(entry);
    if (broken) return result(broken);
    if (checkpoint && checkpoint.seq < entry.seq) return result(missing(checkpoint));
    if (checkpoint?.seq === entry.seq) {
      if (!(agrees(checkpoint, entry) && (await isSound(checkpoint, developerId, findKey))))
        return result({ firstBrokenAt: entry.id, reason: 'content' });
      checkedCheckpoints++;
      checkpoint = await next();
    }
    last = entry;
    checkedEntries++;
    if (checkedEntries % BETWEEN_TURNS === 0) await setImmediate();
  }
  if (checkpoint) return result(missing(checkpoint));
  return result(span.toTheEnd ? brokenEnd(state, span.start?.hash ?? null, last) : null);
}

const missing = ({ entryId }: Checkpoint): Break => ({ firstBrokenAt: entryId, reason: 'link' });

const agrees = (checkpoint: Checkpoint, { id, hash, rowHash }: StoredEntry): boolean =>
  checkpoint.entryId === id && checkpoint.hash === hash && checkpoint.rowHash === rowHash;

/** Whether the last entry is not the one that the head of the chain names. */
function brokenEnd(
  { headHash, headRowHash, coveredHash }: ChainState,
  before: string | null,
  last: StoredEntry | undefined,
): Break | null {
  if ((last?.hash ?? before) !== headHash) return { firstBrokenAt: last?.id ?? null, reason: 'link' };
  if (last && headHash === coveredHash && last.rowHash !== headRowHash)
    return { firstBrokenAt: last.id, reason: 'content' };
  return null;
}

/** What is to be checked; null: the time has no entry. */
async function spanOf(
  db: Queryable,
  { developerId, since, until }: VerifyInput,
  state: ChainState,
  findKey: FindKey,
): Promise<Span | Break | null> {
  const toTheEnd = until === undefined;
  const bounds =
    toTheEnd && since === undefined ? null : await boundsOfTime(db, developerId, { since, until });
  // Entries that were appended since the state was read are not looked at.
  const last = toTheEnd ? state.lastSeq : Math.min(bounds?.last ?? 0, state.lastSeq);
  const lastCheckpoint = toTheEnd ? state.lastCheckpoint : Math.min(last, state.lastCheckpoint);
  const part = { last, lastCheckpoint, toTheEnd };
  const beginning = () => fromTheBeginning(db, { developerId, state, part, findKey });
  if (since === undefined) return last === 0 && !toTheEnd ? null : beginning();
  const first = Math.min(bounds?.first ?? state.lastSeq + 1, state.lastSeq + 1);
  // Of a time without an entry, the end can be checked all the same.
  if (first > last && !toTheEnd) return null;
  const start = await entryBefore(db, { developerId, seq: first });
  return start ? { ...part, start, after: first - 1, afterCheckpoint: first - 1 } : beginning();
}

interface Beginning {
  readonly developerId: string;
  readonly state: ChainState;
  readonly part: Omit<Span, 'after' | 'afterCheckpoint' | 'start'>;
  readonly findKey: FindKey;
}

/** From the first entry on, or from the checkpoint under which the first ones were removed. */
async function fromTheBeginning(
  db: Queryable,
  { developerId, state: { prefix, firstSeq }, part, findKey }: Beginning,
): Promise<Span | Break> {
  // No number is that small, unless somebody has put entries before the others.
  const all = { ...part, after: Number.MIN_SAFE_INTEGER };
  if (prefix === null) return { ...all, afterCheckpoint: 0, start: { hash: null, rowHash: null } };
  if (prefix.seq === 0) return { ...all, afterCheckpoint: 0, start: { hash: prefix.hash, rowHash: null } };
  const of = { developerId, after: prefix.seq - 1, last: prefix.seq, limit: 1 };
  const [checkpoint] = await checkpointsAfter(db, of);
  if (checkpoint?.hash === prefix.hash && (await isSound(checkpoint, developerId, findKey))) {
    // Entries before it that retention has not come to yet must still lead to it.
    const rest = firstSeq !== null && firstSeq <= prefix.seq;
    const start = rest ? null : { hash: prefix.hash, rowHash: checkpoint.rowHash };
    return { ...all, start, afterCheckpoint: rest ? prefix.seq - 1 : prefix.seq };
  }
  const [first] = await entriesAfter(db, { developerId, after: all.after, last: part.last, limit: 1 });
  return { firstBrokenAt: first?.id ?? null, reason: 'link' };
}

/** Rows in the order of their numbers, page after page. */
async function* pages<R extends { readonly seq: number }>(
  start: number,
  read: (after: number) => Promise<readonly R[]>,
): AsyncGenerator<R, undefined> {
  for (let after = start; ; ) {
    const rows = await read(after);
    yield* rows;
    const last = rows.at(-1);
    if (!last) return undefined;
    after = last.seq;
  }
}
