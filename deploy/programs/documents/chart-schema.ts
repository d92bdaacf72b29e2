import { VARIABLES } from '../../../src/variables/table.ts';
import type { Variable } from '../../../src/variables/variable.ts';

/** Variables that the chart sets itself, and those of the embedded database, which a container does not have. */
const NOT_OF_THE_CHART = new Set([
  'DATA_DIR',
  'HOST',
  'METRICS_PORT',
  'MIGRATE_ON_START',
  'PORT',
  'SIGNING_KEYS_FILE',
]);
interface Schema {
  properties: Record<'env' | 'secretEnv', { properties: Record<string, object> }>;
}

/** The schema of the chart's values, with the variables that `env` and `secretEnv` may name. */
export function chartSchema(before: string): string {
  const schema: Schema = JSON.parse(before);
  const ofTheChart = Object.values<Variable>(VARIABLES).filter(
    ({ name }) => !name.startsWith('OTEL_') && !NOT_OF_THE_CHART.has(name),
  );
  const refersTo = (variables: readonly Variable[], definition: string) =>
    Object.fromEntries(
      variables
        .map(({ name }) => name)
        .sort()
        .map((name) => [name, { $ref: `#/$defs/${definition}` }]),
    );
  schema.properties.env.properties = refersTo(
    ofTheChart.filter(({ secret }) => !secret),
    'scalar',
  );
  schema.properties.secretEnv.properties = refersTo(
    ofTheChart.filter(({ secret }) => secret),
    'secretKey',
  );
  // The formatter of the project writes JSON differently, so a file with the same content stays as it is.
  const same = JSON.stringify(schema) === JSON.stringify(JSON.parse(before));
  return same ? before : `${JSON.stringify(schema, null, 2)}\n`;
}
