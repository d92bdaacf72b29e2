import { RETENTION } from './retention.ts';
import {
  AUTHORIZATION,
  DATABASE_AND_REDIS,
  DEVELOPERS,
  KEYS_AND_TOKENS,
  LISTENER,
  RATE_LIMITS,
  WEBHOOKS,
} from './serving.ts';
import { ANOMALIES, TELEMETRY } from './watching.ts';

/**
 * Every variable that the service reads, by topic. The configuration, `.env.example`, the table of docs/configuration.md
 * and the schema of the chart follow from it.
 */
export const VARIABLE_GROUPS = [
  { title: 'Listener', variables: LISTENER },
  { title: 'Database and Redis', variables: DATABASE_AND_REDIS },
  { title: 'Keys and tokens', variables: KEYS_AND_TOKENS },
  { title: 'Authorization', variables: AUTHORIZATION },
  { title: 'Developers', variables: DEVELOPERS },
  { title: 'Rate limits', variables: RATE_LIMITS },
  { title: 'Webhooks', variables: WEBHOOKS },
  { title: 'Retention', variables: RETENTION },
  { title: 'Anomalies', variables: ANOMALIES },
  { title: 'Telemetry', variables: TELEMETRY },
] as const;

/** The same by the name that the code has for each. */
export const VARIABLES = {
  ...LISTENER,
  ...DATABASE_AND_REDIS,
  ...KEYS_AND_TOKENS,
  ...AUTHORIZATION,
  ...DEVELOPERS,
  ...RATE_LIMITS,
  ...WEBHOOKS,
  ...RETENTION,
  ...ANOMALIES,
  ...TELEMETRY,
};
