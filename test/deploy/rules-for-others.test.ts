import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { COMMITTED, type Installation, renderRules } from '../../deploy/programs/rules/render.ts';
import { isAlert, type readRules } from '../../deploy/programs/rules/rule-files.ts';
import { npmOutput } from '../support/command.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const RULES = new URL('../../deploy/prometheus/rules/', import.meta.url);
const TWO: Installation = {
  jobs: ['auth', 'auth-eu'],
  labels: { service: 'agents', team: 'identity', namespace: '', cluster: 'one' },
  grafanaUrl: 'https://grafana.example.com/',
  runbooksUrl: 'https://git.example.com/runbooks/',
};
const names = (await readdir(RULES)).filter((name) => name.endsWith('.yml'));
const textOf = (name: string) => readFile(new URL(name, RULES), 'utf8');
const renderAll = async (installation: Installation) =>
  (await Promise.all(names.map(async (name) => renderRules(await textOf(name), installation)))).flatMap(
    (text) =>
      (parse(text).groups as { rules: Awaited<ReturnType<typeof readRules>> }[]).flatMap(
        ({ rules }) => rules,
      ),
  );

const forTwo = await renderAll(TWO);

test('for the installation of the committed rules they stay as they are', async () => {
  for (const name of names) {
    const text = await textOf(name);
    expect(parse(renderRules(text, COMMITTED)), name).toEqual(parse(text));
  }
});

test('every alert has the labels of the installation, and links that lead to its own pages', () => {
  const alerts = forTwo.filter(isAlert);
  expect(alerts.length).toBeGreaterThan(30);
  for (const { alert, labels, annotations } of alerts) {
    expect(labels, alert).toMatchObject({ service: 'agents', team: 'identity', cluster: 'one' });
    expect(labels, alert).not.toHaveProperty('namespace');
    expect(annotations?.['runbook_url']).toBe(`https://git.example.com/runbooks/${alert}.md`);
    expect(annotations?.['dashboard_url']).toMatch(/^https:\/\/grafana.example.com\/d\/grantex-/);
  }
});

test('every expression is of the chosen jobs, and of no other deployment', () => {
  for (const { expr } of forTwo) expect(expr).not.toMatch(/\bjob=~?"[^"]*grantex-auth/);
  const of = (alert: string, severity: string) =>
    forTwo.find((rule) => rule.alert === alert && rule.labels?.['severity'] === severity)?.expr ?? '';
  expect(of('SigningKeyMissing', 'critical')).toBe('grantex_signing_keys{job=~"auth|auth-eu"} == 0');
  expect(of('GrantexTargetDown', 'warning')).toBe(
    'up{job=~"auth|auth-eu|auth-health|auth-eu-health|otel-collector|prometheus|alertmanager"} == 0',
  );
  expect(of('HealthCheckFailing', 'warning')).toBe('probe_success{job=~"auth-health|auth-eu-health"} == 0');
  // `absent` knows the job of an equality only.
  expect(of('MetricsMissing', 'critical')).toMatch(
    /^absent\(up\{job="auth"\}\)[\s\S]*or absent\(up\{job="auth-eu"\}\)/,
  );
});

test('npm run rules writes them', async () => {
  const { path, remove } = await temporaryDirectory();
  const directory = join(path, 'rules');
  const written = await npmOutput(
    'rules',
    ['--output', directory, '--job', 'auth', '--job', 'auth-eu', '--team', 'x'],
    {},
  );
  expect(written).toBe(`${directory}: ${names.length} files\n`);
  expect(await readFile(join(directory, 'signals.yml'), 'utf8')).toContain('job=~"auth|auth-eu"');
  await remove();
});
