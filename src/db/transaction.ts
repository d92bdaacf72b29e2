import { type DatabaseTelemetry, describeStatement, type Statement } from '../telemetry/database.ts';
import type { Connection } from './connection.ts';
import { toServiceError } from './errors.ts';

const [BEGIN, COMMIT, ROLLBACK] = (['BEGIN', 'COMMIT', 'ROLLBACK'] as const).map((operation) =>
  describeStatement({ operation, name: `transaction.${operation.toLowerCase()}`, text: operation }),
) as [Statement, Statement, Statement];

export interface TransactionOptions {
  readonly telemetry: DatabaseTelemetry;
  /** For each of the three statements. */
  readonly limitMs: number;
  /** @throws when the time of the request is over. The transaction is then rolled back. */
  readonly assertInTime: () => void;
}

/**
 * Runs `work` between BEGIN and COMMIT (READ COMMITTED), or ROLLBACK when it throws.
 * @throws SERVICE_UNAVAILABLE when nothing was committed for certain; what `work` throws
 */
export async function runTransaction<T>(
  connection: Connection,
  { telemetry, limitMs, assertInTime }: TransactionOptions,
  work: () => Promise<T>,
): Promise<T> {
  const send = (statement: Statement, text: string) =>
    telemetry.statement(statement, undefined, () => connection.run(text, [], { prepare: false, limitMs }));
  try {
    await send(BEGIN, connection.begin);
  } catch (error) {
    // The transaction may have begun despite the error.
    connection.retire();
    throw toServiceError(error, { nothingDone: true });
  }
  try {
    const result = await work();
    assertInTime();
    await commit(() => send(COMMIT, 'commit'));
    return result;
  } catch (error) {
    // Without a connection the server rolls back by itself.
    if (connection.fit) await send(ROLLBACK, 'rollback').catch(() => connection.retire());
    throw error;
  }
}

/** A transaction in which a statement failed ends with the tag ROLLBACK and no error. */
async function commit(send: () => Promise<{ readonly command?: string }>): Promise<void> {
  try {
    const { command } = await send();
    if (command !== 'COMMIT')
      throw new Error('the transaction was rolled back: one of its statements had failed');
  } catch (error) {
    throw toServiceError(error, { nothingDone: false });
  }
}
