/** The embedded PostgreSQL cannot be used; the message says why and what to do, and may be shown to the operator. */
export class EmbeddedDatabaseError extends Error {
  override readonly name = 'EmbeddedDatabaseError';
}

/** Another running service has the data directory; its database can be used beside it, but not started again. */
export class DatabaseInUseError extends EmbeddedDatabaseError {}

/** The `code` of a system error (`ENOENT`, …), if it has one. */
export const errorCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error ? String(error.code) : undefined;

/** We are root without the rights of root, as in a container whose capabilities were dropped. */
export const cannotBecome = (uid: number, cause: unknown) =>
  new EmbeddedDatabaseError(
    `PostgreSQL refuses to run as root, and this process may not act for uid ${uid}: run the service as an unprivileged user, or set DATABASE_URL`,
    { cause },
  );
