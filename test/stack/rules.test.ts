import { execFile } from 'node:child_process';
import { cp, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { logFiltersOf } from '../../deploy/programs/rules/check-runbook.ts';
import { committedSloRules, generateSloRules } from '../../deploy/programs/rules/generate-slo.ts';
import { COMMITTED } from '../../deploy/programs/rules/render.ts';
import { writeRules } from '../../deploy/programs/rules/rules.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { binary } from './binaries/build.ts';

const DEPLOY = new URL('../../deploy/', import.meta.url);
const filesOf = async (path: string) =>
  (await readdir(new URL(path, DEPLOY))).map((name) => fileURLToPath(new URL(path + name, DEPLOY))).sort();
const ruleFiles = await filesOf('prometheus/rules/');
const ruleTests = await filesOf('prometheus/rule-tests/');
const runbooks = await filesOf('runbooks/');

let promtool: string;
beforeAll(async () => {
  promtool = await binary('promtool');
});

/** The output of a program. The test fails with this output when the exit code is not 0. */
async function run(program: string, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(program, args).catch((error) => {
    throw new Error(`${program} ${args.join(' ')}:\n${error.stdout}${error.stderr}`);
  });
  return stdout + stderr;
}

test('promtool finds nothing wrong with the rules', async () => {
  const output = await run(promtool, 'check', 'rules', '--lint=all', '--lint-fatal', ...ruleFiles);
  expect(output.match(/SUCCESS/g)).toHaveLength(ruleFiles.length);
});

describe('each alert fires when it should, and only then', () => {
  test.each(ruleTests.map((file) => [file.slice(file.lastIndexOf('/') + 1), file]))(
    '%s',
    async (_name, file) => {
      expect(await run(promtool, 'test', 'rules', file)).toContain('SUCCESS');
    },
  );
});

describe('two deployments on one Prometheus have alerts of their own', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  beforeAll(async () => {
    directory = await temporaryDirectory();
    await writeRules(join(directory.path, 'rules'), {
      ...COMMITTED,
      jobs: ['grantex-auth', 'grantex-eu'],
      labels: { service: 'agents', team: 'identity', namespace: '', cluster: 'one' },
    });
    await cp(new URL('rules/', import.meta.url), join(directory.path, 'rule-tests'), { recursive: true });
  });
  afterAll(() => directory?.remove());

  test('promtool finds nothing wrong with their rules', async () => {
    const files = (await readdir(join(directory.path, 'rules'))).map((name) =>
      join(directory.path, 'rules', name),
    );
    const output = await run(promtool, 'check', 'rules', '--lint=all', '--lint-fatal', ...files);
    expect(output.match(/SUCCESS/g)).toHaveLength(ruleFiles.length);
  });

  test('what is wrong with one fires for that one', async () => {
    const file = join(directory.path, 'rule-tests/two-deployments.yml');
    expect(await run(promtool, 'test', 'rules', file)).toContain('SUCCESS');
  });
});

test('the rules of the error budgets are what sloth makes of their specifications', async () => {
  expect(await generateSloRules()).toEqual(await committedSloRules());
});

test('jq takes every filter of the runbooks', async () => {
  const texts = await Promise.all(runbooks.map((file) => readFile(file, 'utf8')));
  const filters = texts.flatMap(logFiltersOf);
  expect(filters.length).toBeGreaterThan(15);
  for (const filter of filters) await run('jq', '--null-input', '-cR', filter);
});
