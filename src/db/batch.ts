import { type SpanContext, trace } from '@opentelemetry/api';
import DataLoader from 'dataloader';
import { createBatchSchedule } from './batch-schedule.ts';
import { concernsOneRow } from './errors.ts';
import { type BatchQuery, questionsOf } from './query.ts';
import type { Queryable } from './queryable.ts';

const MAX_BATCH = 100;
/** How many questions of a refused batch are asked in parallel, each in a statement of its own. */
const ASKED_ALONE_AT_ONCE = 3;

/** Asks one question; the answer is the statement's row for it. */
export type Ask<Q, R> = (question: Q) => Promise<R>;

interface Asked<Q> {
  readonly question: Q;
  readonly span: SpanContext | undefined;
}

/**
 * Gathers the questions of concurrent requests into one statement. One write, one commit and one wake-up of a database
 * process serve them all. The span belongs to the first question and links to the spans of the others. No answer is cached.
 *
 * When the database refuses a batch because of one row, it commits nothing of it. Each question is then asked alone.
 */
export function createBatch<Q extends object, R>(
  db: Pick<Queryable, 'all'>,
  query: BatchQuery<Q, R>,
): Ask<Q, R> {
  const schedule = createBatchSchedule();

  const send = async (asked: readonly Asked<Q>[]): Promise<R[]> => {
    const links = asked.slice(1).flatMap(({ span }) => span ?? []);
    const questions = questionsOf(
      query,
      asked.map(({ question }) => question),
    );
    const rows = await db.all(query, { questions }, links);
    if (rows.length !== asked.length) throw new Error('the statement did not answer every question');
    return rows;
  };
  const sendAlone = (one: Asked<Q>): Promise<R | Error> =>
    send([one]).then(
      ([row]) => row as R,
      (error: unknown) => (error instanceof Error ? error : new Error('unknown', { cause: error })),
    );
  /** Only a few run in parallel, because each may hold a connection while it waits for a lock. */
  const sendEachAlone = async (asked: readonly Asked<Q>[]): Promise<(R | Error)[]> => {
    const answers: (R | Error)[] = new Array(asked.length);
    const left = asked.entries();
    const work = async () => {
      for (const [index, one] of left) answers[index] = await sendAlone(one);
    };
    await Promise.all(Array.from({ length: ASKED_ALONE_AT_ONCE }, work));
    return answers;
  };

  const loader = new DataLoader<Asked<Q>, R>(
    (asked) =>
      schedule.running(
        send(asked).catch((error: unknown) => {
          if (asked.length > 1 && concernsOneRow(error)) return sendEachAlone(asked);
          throw error;
        }),
      ),
    { cache: false, maxBatchSize: MAX_BATCH, batchScheduleFn: schedule.next },
  );
  return (question) => loader.load({ question, span: trace.getActiveSpan()?.spanContext() });
}

/** Asks one question of a batch query. Concurrent questions share a statement. */
export type AskQuery = <Q extends object, R>(query: BatchQuery<Q, R>, question: NoInfer<Q>) => Promise<R>;

/** One batch for each query, made when it is first asked. */
export function createAsk(db: Pick<Queryable, 'all'>): AskQuery {
  const batches = new Map<object, Ask<never, unknown>>();
  return <Q extends object, R>(query: BatchQuery<Q, R>, question: Q) => {
    let ask = batches.get(query);
    if (!ask) {
      ask = createBatch(db, query);
      batches.set(query, ask);
    }
    return ask(question as never) as Promise<R>;
  };
}
