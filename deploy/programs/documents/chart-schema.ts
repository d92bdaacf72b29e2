import { VARIABLES } from '../../../src/variables/table.ts';

/** Set by the chart itself, or meant for a database that a container does not have. */
const NOT_OF_THE_CHART = new Set([
  'DATA_DIR',
  'HOST',
  'METRICS_PORT',
  'MIGRATE_ON_START',
  'PORT',
  'SIGNING_KEYS_FILE',
]);
const SECRETS = [
  'DATABASE_URL',
  'SECRET_KEY',
  'REDIS_URL',
  'METRICS_API_KEY',
  'SEED_API_KEY',
  'SEED_SANDBOX_KEY',
];

interface Schema {
  properties: Record<'env' | 'secretEnv', { properties: Record<string, object> }>;
}

/** The schema of the chart's values, with the variables that `env` and `secretEnv` may name. */
export function chartSchema(before: string): string {
  const schema: Schema = JSON.parse(before);
  const plain = Object.values(VARIABLES)
    .map(({ name }) => name)
    .filter((name) => !name.startsWith('OTEL_') && !SECRETS.includes(name) && !NOT_OF_THE_CHART.has(name))
    .sort();
  const refersTo = (names: readonly string[], definition: string) =>
    Object.fromEntries(names.map((name) => [name, { $ref: `#/$defs/${definition}` }]));
  schema.properties.env.properties = refersTo(plain, 'scalar');
  schema.properties.secretEnv.properties = refersTo(SECRETS, 'secretKey');
  // The formatter writes JSON in its own way: a file that says the same stays as it is.
  const same = JSON.stringify(schema) === JSON.stringify(JSON.parse(before));
  return same ? before : `${JSON.stringify(schema, null, 2)}\n`;
}
