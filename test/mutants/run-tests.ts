import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/** How the tests of one file ended. */
export interface FileResult {
  readonly file: string;
  /** Whether it came to its tests: not when a hook before them failed. */
  readonly ran: boolean;
  readonly total: number;
  readonly failed: readonly string[];
}

interface Report {
  readonly testResults: {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: { readonly title: string; readonly status: string }[];
  }[];
}

/** Runs test files, and those that could not be run once more by themselves: services start slowly on a busy machine. */
export async function runTests(path: string, files: readonly string[]): Promise<FileResult[]> {
  const results = await runOnce(path, files);
  for (const [index, { file, ran }] of results.entries())
    if (!ran) results.splice(index, 1, ...(await runOnce(path, [file])));
  return results;
}

/** With the vitest of the copy's `node_modules`, as `npm test` does; one file at a time, for others may be at work. */
async function runOnce(path: string, files: readonly string[]): Promise<FileResult[]> {
  const report = join(path, 'report.json');
  await rm(report, { force: true });
  const vitest = join(path, 'node_modules/vitest/vitest.mjs');
  const args = [
    'run',
    ...['pure', 'unit', 'slow'].flatMap((project) => ['--project', project]),
    '--maxWorkers=1',
    '--reporter=json',
    `--outputFile=${report}`,
    ...files,
  ];
  const child = spawn(process.execPath, [vitest, ...args], {
    cwd: path,
    // A mutant is to be found, not to be explained.
    env: { ...process.env, MODEL_SHRINK: 'false' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [output] = await Promise.all([text(child.stdout), child.stderr.resume(), once(child, 'close')]);
  const content = await readFile(report, 'utf8').catch(() => {
    throw new Error(`vitest did not report: ${output}`);
  });
  const { testResults }: Report = JSON.parse(content);
  return files.map((file) => {
    const result = testResults.find(({ name }) => name.endsWith(`/${file}`));
    if (!result) throw new Error(`vitest has not run ${file}`);
    const failed = result.assertionResults
      .filter(({ status }) => status === 'failed')
      .map(({ title }) => title);
    const ran = failed.length > 0 || result.status === 'passed';
    return { file, ran, total: result.assertionResults.length, failed };
  });
}
