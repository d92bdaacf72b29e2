import { parseTarget } from '../database-url/target.ts';
import { COMMAND_LIMITS } from './limits.ts';
import { openConnection } from './open-connection.ts';

const PATIENCE_MS = 10_000;

/**
 * Connects once and closes the connection.
 * @throws the error of the server or of the system when no server there takes writes
 */
export async function assertReachable(url: string): Promise<void> {
  const connection = await openConnection({
    target: parseTarget(url),
    limits: COMMAND_LIMITS,
    timeoutMs: PATIENCE_MS,
    onLost: () => undefined,
    onStatementEnded: () => undefined,
  });
  await connection.close();
}
