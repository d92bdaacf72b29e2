import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readText } from '../deploy/compose-file.ts';
import { temporaryDirectory } from '../support/service.ts';
import { binary } from './binaries/build.ts';
import { runProgram } from './python.ts';

test.each(['federation', 'remote-write'])(
  'Prometheus takes the snippet about %s of deploy/README.md',
  async (name) => {
    const [, text] =
      new RegExp(`\`\`\`yaml ${name}\n(.*?)\`\`\``, 's').exec(readText('deploy/README.md')) ?? [];
    const { path, remove } = await temporaryDirectory();
    const file = join(path, 'prometheus.yml');
    await writeFile(file, text ?? '');
    const result = await runProgram(await binary('promtool'), ['check', 'config', '--syntax-only', file]);
    await remove();
    expect(result.output).toContain('SUCCESS');
    expect(result.code).toBe(0);
  },
);
