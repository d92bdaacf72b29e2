import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

/** The blocks of README's tour, in their order. */
export const TOUR: readonly string[] = Array.from(
  README.matchAll(/```bash tour\n(.*?)```/gs),
  ([, block = '']) => block,
);

/** Pastes README's tour into a shell. Throws when a step fails. @returns what the shell showed */
export const pasteTour = (url: string): Promise<{ stdout: string; stderr: string }> =>
  promisify(execFile)('bash', ['--norc', '-euo', 'pipefail', '-c', TOUR.join('\n')], {
    env: { PATH: process.env['PATH'] ?? '', BASE: url },
  });
