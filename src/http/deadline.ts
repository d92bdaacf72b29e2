import { ServiceError, unavailable } from '../errors.ts';
import { requestScope } from '../request-scope.ts';

/** The longest a caller is kept waiting for the database, whatever hangs. */
const DEADLINE_MS = 2500;
/** The statements of a request are cancelled at this time. The rest of the deadline lets the server report their outcome. */
const STATEMENTS_MS = 2000;

/**
 * Answers in time even when the work hangs. The statements of the request end before its answer, in the database too.
 * `assertInTime` throws once the time is up, so that the work begins nothing that the caller no longer waits for. Only a
 * silent database leaves a statement whose outcome is still unknown. A write is then answered with 500. A read gets the 503
 * that invites a retry.
 */
export async function withDeadline<T>(
  work: (assertInTime: () => void) => Promise<T>,
  readOnly: boolean,
): Promise<T> {
  const scope = requestScope();
  if (scope) scope.statementsEndAt = performance.now() + STATEMENTS_MS;
  let late: ServiceError | undefined;
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const cause = new Error(`no answer within ${DEADLINE_MS} ms`);
      late = readOnly
        ? unavailable(cause)
        : new ServiceError('INTERNAL_ERROR', 'The outcome of the request is not known', { cause });
      reject(late);
    }, DEADLINE_MS);
  });
  const assertInTime = () => {
    if (late) throw late;
  };
  try {
    return await Promise.race([work(assertInTime), expiry]);
  } finally {
    clearTimeout(timer);
  }
}
