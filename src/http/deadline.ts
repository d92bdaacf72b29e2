import { ServiceError, unavailable } from '../errors.ts';

/** The longest a caller is kept waiting for the database, whatever hangs. */
const DEADLINE_MS = 2500;

/**
 * Answers in time even when the work behind hangs. The work itself is not stopped: what it commits later is still
 * recorded, truthfully, by its own events. Because of that the caller of a write learns 500, "nobody knows", and only
 * that of a read gets the 503 that invites a repetition.
 */
export async function withDeadline<T>(work: Promise<T>, readOnly: boolean): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const cause = new Error(`no answer within ${DEADLINE_MS} ms`);
      reject(
        readOnly
          ? unavailable(cause)
          : new ServiceError('INTERNAL_ERROR', 'The outcome of the request is not known', { cause }),
      );
    }, DEADLINE_MS);
  });
  try {
    return await Promise.race([work, expiry]);
  } finally {
    clearTimeout(timer);
  }
}
