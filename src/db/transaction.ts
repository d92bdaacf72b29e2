import type postgres from 'postgres';
import { type DatabaseTelemetry, describeStatement, type Statement } from '../telemetry/database.ts';
import { isConnectionLost, toServiceError } from './errors.ts';
import type { Patience } from './permits.ts';

const [BEGIN, COMMIT, ROLLBACK] = (['BEGIN', 'COMMIT', 'ROLLBACK'] as const).map((operation) =>
  describeStatement({ operation, name: `transaction.${operation.toLowerCase()}`, text: operation }),
) as [Statement, Statement, Statement];

/**
 * Runs `work` between BEGIN and COMMIT, or ROLLBACK when it throws. The driver sends these three by itself; their spans
 * are drawn around the moments between which it does.
 * @throws SERVICE_UNAVAILABLE when nothing was sent within `patience`
 */
export async function runTransaction<T>(
  sql: postgres.Sql,
  telemetry: DatabaseTelemetry,
  patience: Patience,
  work: (tx: postgres.TransactionSql) => Promise<T>,
): Promise<T> {
  const begun = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  // Nobody waits for it when BEGIN fails.
  ended.promise.catch(() => undefined);
  let sent = false;
  const record = (statement: Statement, until: Promise<unknown>) =>
    void telemetry.statement(statement, undefined, () => until).catch(() => undefined);

  record(BEGIN, begun.promise);
  try {
    const result = await sql.begin(async (tx) => {
      begun.resolve();
      patience.assertLeft();
      sent = true;
      try {
        const done = await work(tx);
        record(COMMIT, ended.promise);
        return done;
      } catch (error) {
        // The driver would send ROLLBACK on a socket that is no more, which ends the process. It ends this by itself.
        if (isConnectionLost(error)) return new Promise<never>(() => undefined);
        record(
          ROLLBACK,
          ended.promise.catch(() => undefined),
        );
        throw error;
      }
    });
    ended.resolve();
    return result as T;
  } catch (error) {
    begun.reject(error);
    ended.reject(error);
    throw toServiceError(error, { readOnly: false, sent });
  }
}
