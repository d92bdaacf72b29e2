import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { cutoffsAt } from '../../src/retention/cutoffs.ts';

const NOW = Date.UTC(2030, 0, 31);
const HOUR = 3_600_000;
const cutoffs = (env: Record<string, string>) => cutoffsAt(loadConfig(env), NOW);
const hoursAgo = (hours: number) => new Date(NOW - hours * HOUR);
/** What explains gaps between counts and rows: 90 days, whatever the retention is. */
const EXPLANATIONS = hoursAgo(90 * 24);

test('by default 30 days, 400 for grants, and audit entries for ever', () => {
  expect(cutoffs({})).toEqual({
    rows: hoursAgo(30 * 24),
    grants: hoursAgo(400 * 24),
    tokensOfGrants: hoursAgo(30 * 24),
    audit: null,
    explanations: EXPLANATIONS,
  });
});

test('the tokens of a grant do not outlive its row', () => {
  expect(cutoffs({ RETENTION_DAYS: '90', GRANT_RETENTION_DAYS: '40', AUDIT_RETENTION_DAYS: '7' })).toEqual({
    rows: hoursAgo(90 * 24),
    grants: hoursAgo(40 * 24),
    tokensOfGrants: hoursAgo(40 * 24),
    audit: hoursAgo(7 * 24),
    explanations: EXPLANATIONS,
  });
});

test.each([
  ['ANOMALY_RATE_BASELINE_HOURS', '100', 100 + 1],
  ['ANOMALY_FAILURE_WINDOW_HOURS', '100', 100 + 1],
  ['ANOMALY_OFF_HOURS_WINDOW_HOURS', '100', 100],
  ['ANOMALY_SCAN_SECONDS', '86400', 48 + 1],
])('nothing goes that %s=%s still looks at, and an hour more', (name, value, hours) => {
  const short = { RETENTION_DAYS: '1', GRANT_RETENTION_DAYS: '1', AUDIT_RETENTION_DAYS: '1' };
  const before = hoursAgo(hours + 1);
  expect(cutoffs({ ...short, [name]: value })).toEqual({
    rows: before,
    grants: before,
    tokensOfGrants: before,
    audit: before,
    explanations: EXPLANATIONS,
  });
});
