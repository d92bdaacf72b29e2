import { type SpanContext, trace } from '@opentelemetry/api';
import DataLoader from 'dataloader';
import { LRUCache } from 'lru-cache';
import type { Config } from '../config.ts';
import { createBatchSchedule } from '../db/batch-schedule.ts';
import { concernsOneRow } from '../db/errors.ts';
import type { Queryable } from '../db/queryable.ts';
import type { Deps } from '../deps.ts';
import { badRequest, ServiceError } from '../errors.ts';
import { agentDid } from '../ids.ts';
import { done, type Outcome, refuse } from '../outcome.ts';
import { type AuditStatus, entryHash, rowHash } from './chain.ts';
import {
  type AuditRow,
  appendEntries,
  type ChainHead,
  lockChain,
  type NewAuditRow,
  principalsOf,
} from './store.ts';

export interface AuditInput {
  readonly agentId: string;
  readonly agentDid: string | undefined;
  readonly grantId: string;
  readonly principalId: string | undefined;
  readonly action: string;
  readonly status: AuditStatus;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** An entry that was appended. */
export interface Appended {
  readonly row: AuditRow;
  /** Both the agent and the grant are the developer's. */
  readonly known: boolean;
}

/** Appends an entry to the chain of a developer. */
export type ChainWriter = (developerId: string, input: AuditInput) => Promise<Outcome<Appended>>;

interface Asked {
  readonly input: AuditInput;
  readonly span: SpanContext | undefined;
}

const MAX_BATCH = 50;
/** Developers whose queue is remembered. One that is forgotten early holds one connection more, and nothing else changes. */
const MAX_QUEUES = 1_000;

/**
 * Gathers the concurrent entries of each developer into one transaction at a time. So a burst takes the chain's lock, and
 * writes to the disk, once per batch; and it holds one connection of a replica, whatever its size.
 * Writers on other replicas wait for the lock of the chain. The chain never forks.
 */
export function createChainWriter({
  db,
  ids,
  clock,
  config,
}: Pick<Deps, 'db' | 'ids' | 'clock'> & {
  readonly config: Pick<Config, 'maxAuditEntriesPerDay'>;
}): ChainWriter {
  const append = async (
    tx: Queryable,
    developerId: string,
    asked: readonly Asked[],
  ): Promise<Outcome<Appended>[]> => {
    const principals = await principalsOf(
      tx,
      asked.map(({ input }) => ({ developerId, ...input })),
    );
    const accepted = asked.map(({ input }, index) => accept(input, principals[index] ?? null));
    if (accepted.every((entry) => entry === null)) return asked.map(refuseUnknown);
    const { head: found, numbers } = await lockChain(tx, developerId, asked.length);
    let head = found;
    const rows: NewAuditRow[] = [];
    const outcomes = accepted.map((entry, index): Outcome<Appended> => {
      if (entry === null) return refuseUnknown();
      // A clock that is behind, or was set back, takes the time of the last entry.
      const now = Math.max(clock.now(), head.lastAt?.getTime() ?? 0);
      const createdAt = new Date(now);
      const counted = countedWith(head, createdAt);
      if (counted.entriesOfDay > config.maxAuditEntriesPerDay)
        return refuseBeyond(config.maxAuditEntriesPerDay);
      const id = ids.next('alog', now);
      const prevHash = head.hash;
      const seq = numbers[index];
      if (seq === undefined) throw new Error('too few numbers for the entries');
      const hashed = {
        ...entry,
        entryId: id,
        developerId,
        seq,
        timestamp: createdAt.toISOString(),
        prevHash,
      };
      const hash = entryHash(hashed);
      const covering = rowHash({ ...hashed, hash, prevRowHash: head.rowHash });
      const { known, ...members } = entry;
      const row: AuditRow = { ...members, id, developerId, createdAt, hash, prevHash };
      rows.push({ ...row, ...counted, seq, rowHash: covering });
      head = { ...counted, hash, rowHash: covering, lastAt: createdAt };
      return done({ row, known });
    });
    const links = asked.slice(1).flatMap(({ span }) => span ?? []);
    if (rows.length > 0) await appendEntries(tx, rows, links);
    return outcomes;
  };

  const send = async (
    developerId: string,
    asked: readonly Asked[],
  ): Promise<(Outcome<Appended> | Error)[]> => {
    try {
      return await db.transaction((tx) => append(tx, developerId, asked));
    } catch (error) {
      if (asked.length === 1 || !concernsOneRow(error)) throw error;
    }
    const outcomes: (Outcome<Appended> | Error)[] = [];
    for (const one of asked)
      outcomes.push(
        ...(await send(developerId, [one]).catch((error: unknown) => [
          error instanceof Error ? error : new Error('unknown', { cause: error }),
        ])),
      );
    return outcomes;
  };

  const queues = new LRUCache<string, DataLoader<Asked, Outcome<Appended>>>({ max: MAX_QUEUES });
  const queueOf = (developerId: string) => {
    const known = queues.get(developerId);
    if (known) return known;
    const schedule = createBatchSchedule(1);
    const queue = new DataLoader<Asked, Outcome<Appended>>(
      (asked) => schedule.running(send(developerId, asked)),
      {
        cache: false,
        maxBatchSize: MAX_BATCH,
        batchScheduleFn: schedule.next,
      },
    );
    queues.set(developerId, queue);
    return queue;
  };
  return (developerId, input) =>
    queueOf(developerId).load({ input, span: trace.getActiveSpan()?.spanContext() });
}

/**
 * An entry with what its agent and grant say where the caller says nothing. An entry about an agent or a grant that the
 * developer does not have is evidence all the same. It is taken as told, when it says who acted and for whom.
 * @param principalId of the grant; null unless both agent and grant are the developer's
 * @returns null when neither the rows nor the caller say it
 */
function accept(input: AuditInput, principalId: string | null) {
  const known = principalId !== null;
  const principal = input.principalId ?? principalId;
  const did = input.agentDid ?? (known ? agentDid(input.agentId) : null);
  return principal === null || did === null
    ? null
    : { ...input, agentDid: did, principalId: principal, known };
}

const refuseUnknown = () =>
  refuse(badRequest('The agent or the grant is not yours, or no longer: name agentDid and principalId too'));
const refuseBeyond = (limit: number) =>
  refuse(
    new ServiceError('PLAN_LIMIT_EXCEEDED', `A developer has at most ${limit} audit entries a day (UTC)`),
  );

/**
 * The count of the day with one more entry at `at`. The day never goes back: a replica whose clock is behind counts for the
 * day that another one has begun, or each of them would begin the count anew at midnight.
 */
function countedWith({ day, entriesOfDay }: ChainHead, at: Date): { day: string; entriesOfDay: number } {
  const today = at.toISOString().slice(0, 10);
  return day === null || day < today
    ? { day: today, entriesOfDay: 1 }
    : { day, entriesOfDay: entriesOfDay + 1 };
}
