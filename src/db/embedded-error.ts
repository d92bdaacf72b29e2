/** The embedded PostgreSQL cannot be used; the message says why and what to do, and may be shown to the operator. */
export class EmbeddedDatabaseError extends Error {
  override readonly name = 'EmbeddedDatabaseError';
}

/** The `code` of a system error (`ENOENT`, …), if it has one. */
export const errorCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error ? String(error.code) : undefined;
