import { type SpanContext, trace } from '@opentelemetry/api';
import DataLoader from 'dataloader';
import type { Queryable } from '../db/client.ts';
import { createBatchSchedule } from './batch-schedule.ts';
import { type TokenState, tokenStates } from './store.ts';

interface Question {
  readonly keyHash: Buffer;
  readonly jti: string | null;
  readonly span: SpanContext | undefined;
}

/** Asks for the state of a token; nothing is remembered between two questions. */
export type LoadTokenState = (keyHash: Buffer, jti: string | null) => Promise<TokenState>;

const MAX_BATCH = 100;

/**
 * Gathers the questions of requests that arrive together into one statement. The statement's span belongs to the first
 * of them and links to the spans of the others.
 */
export function createStateLoader(db: Queryable): LoadTokenState {
  const schedule = createBatchSchedule();
  const loader = new DataLoader<Question, TokenState>(
    (questions) => {
      const links = questions.slice(1).flatMap(({ span }) => span ?? []);
      return schedule.running(tokenStates(db, questions, links));
    },
    { cache: false, maxBatchSize: MAX_BATCH, batchScheduleFn: schedule.next },
  );
  return (keyHash, jti) => loader.load({ keyHash, jti, span: trace.getActiveSpan()?.spanContext() });
}
