import type { DatabaseTelemetry } from '../telemetry/database.ts';

/** Commands are over in a moment and are looked at by the person who gave them: their statements are not measured. */
export const withoutTelemetry = (): DatabaseTelemetry => ({
  statement: (_statement, _links, run) => run(),
  observePool: () => () => undefined,
});
