/** What of an error may be logged. */
export interface ErrorDescription {
  readonly name: string;
  readonly code?: string | undefined;
  readonly stack?: string | undefined;
  readonly severity?: string | undefined;
  readonly routine?: string | undefined;
  readonly cause?: ErrorDescription | undefined;
}

const MAX_CAUSES = 5;

/**
 * Describes an error for the log: name, code, stack and causes. Of a PostgreSQL error only code, severity and routine: its
 * message and detail quote column values, and its stack begins with the message.
 */
export function describeError(error: unknown, depth = 0): ErrorDescription {
  if (!(error instanceof Error)) return { name: typeof error };
  const { code, severity, routine } = error as { code?: unknown; severity?: unknown; routine?: unknown };
  if (error.name === 'PostgresError' || (typeof severity === 'string' && typeof routine === 'string'))
    return { name: error.name, code: text(code), severity: text(severity), routine: text(routine) };
  return {
    name: error.name,
    code: text(code),
    stack: error.stack,
    ...(error.cause instanceof Error &&
      depth < MAX_CAUSES && { cause: describeError(error.cause, depth + 1) }),
  };
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
