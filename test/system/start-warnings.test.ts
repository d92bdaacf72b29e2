import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { startWarnings } from '../../src/start-warnings.ts';

const KEY = 'seed-key-of-sixteen-and-more';
const warnings = (env: Record<string, string>, metricsShared = true) =>
  startWarnings(loadConfig(env), { metricsShared }).map(({ msg }) => msg);

test.each(['127.0.0.1', '127.0.0.2', '::1', 'localhost'])('HOST=%s: nothing to warn of', (HOST) => {
  expect(warnings({ HOST, SEED_API_KEY: KEY })).toEqual([]);
});

test.each(['0.0.0.0', '::', '10.0.0.1', 'auth.example.com', '192.168.1.5'])(
  'HOST=%s: /metrics without a key, and a short seed key, are one line each',
  (HOST) => {
    const SHORT = { SEED_API_KEY: KEY, SEED_SANDBOX_KEY: `${KEY}2` };
    expect(warnings({ HOST, ...SHORT })).toEqual(['config.seed_key_short', 'config.metrics_public']);
  },
);

test('a key for /metrics, another port or address, or no metrics: no warning of them', () => {
  const HOST = '0.0.0.0';
  expect(warnings({ HOST, METRICS_API_KEY: 'k'.repeat(16) })).toEqual([]);
  expect(warnings({ HOST }, false)).toEqual([]);
  expect(warnings({ HOST, METRICS_ENABLED: 'false' })).toEqual([]);
});

test('a seed key is short below 32 characters; the line names the variable and not the key', () => {
  const of = (key: string) =>
    startWarnings(loadConfig({ HOST: '0.0.0.0', SEED_SANDBOX_KEY: key }), { metricsShared: false });
  expect(of('k'.repeat(32))).toEqual([]);
  const [warning] = of('k'.repeat(31));
  expect(warning?.reason).toContain('SEED_SANDBOX_KEY is shorter than 32 characters');
  expect(warning?.reason).not.toContain('kkk');
});
