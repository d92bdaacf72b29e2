import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { outdatedPictures, PICTURES } from '../../deploy/programs/dashboards/generate.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

test('a picture that is missing, or of another state of its dashboard, is outdated', async () => {
  const { path, remove } = await temporaryDirectory();
  await cp(PICTURES, path, { recursive: true });
  const directory = pathToFileURL(`${path}/`);
  expect(await outdatedPictures(directory)).toEqual([]);
  const stale = join(path, 'pipeline.svg');
  const svg = await readFile(stale, 'utf8');
  await writeFile(stale, svg.replace(/data-drawn-from="\w+"/, 'data-drawn-from="0123456789abcdef"'));
  await rm(join(path, 'slo.svg'));
  expect(await outdatedPictures(directory)).toEqual(['pipeline', 'slo']);
  await remove();
});
