import { realpathSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { ROOT, readText, readYaml } from './compose-file.ts';

const CHART = 'deploy/helm/grantex-auth';
const schema = JSON.parse(readText(`${CHART}/values.schema.json`));

/** Set by the chart itself, or of no use without a disk. */
const OF_THE_CHART = ['HOST', 'PORT', 'METRICS_PORT', 'MIGRATE_ON_START', 'DATA_DIR', 'SIGNING_KEYS_FILE'];

test('the chart is of the version of the service', () => {
  const { version } = JSON.parse(readText('package.json'));
  expect(readYaml(`${CHART}/Chart.yaml`)).toMatchObject({ name: 'grantex-auth', appVersion: version });
});

test('its rules and dashboards are those of the project, by links', () => {
  expect(realpathSync(`${ROOT}${CHART}/files/rules`)).toBe(realpathSync(`${ROOT}deploy/prometheus/rules`));
  expect(realpathSync(`${ROOT}${CHART}/files/dashboards`)).toBe(realpathSync(`${ROOT}deploy/grafana`));
});

test('its schema knows the variables that the service reads, each as plain or as secret', () => {
  const read = new Set<string>();
  loadConfig(new Proxy({}, { get: (_, name) => void read.add(String(name)) }));
  const { env, secretEnv } = schema.properties;
  const standard = [...read].filter((name) => name.startsWith('OTEL_'));
  for (const name of standard) expect(name).toMatch(new RegExp(Object.keys(env.patternProperties)[0] ?? '-'));
  expect(
    [
      ...Object.keys(env.properties),
      ...Object.keys(secretEnv.properties),
      ...OF_THE_CHART,
      ...standard,
    ].toSorted(),
  ).toEqual([...read].toSorted());
  expect(secretEnv.required).toEqual(['DATABASE_URL', 'SECRET_KEY']);
});

test('every value has a place in the schema, and every place a value', () => {
  const values = readYaml(`${CHART}/values.yaml`);
  // biome-ignore lint/suspicious/noExplicitAny: a schema or a part of one
  const compare = (value: any, part: any, path: string) => {
    if (part.additionalProperties !== false || path === 'env' || path === 'secretEnv') return;
    expect(Object.keys(value).toSorted(), path).toEqual(
      Object.keys(part.properties)
        .filter((name) => name !== 'global')
        .toSorted(),
    );
    for (const [name, below] of Object.entries(value))
      compare(below, part.properties[name], `${path}${name}`);
  };
  compare(values, schema, '');
});
