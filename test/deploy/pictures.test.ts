import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { outdatedPictures, PICTURES } from '../../deploy/programs/dashboards/generate.ts';
import { digestOf } from '../../deploy/programs/dashboards/picture.ts';
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

test('a picture is of another state when a panel is, and not when its description is', () => {
  const of = (panel: object) =>
    digestOf({ title: 'x', panels: [{ title: 'a', type: 'stat', ...panel }] } as never);
  expect(of({ description: 'new words' })).toBe(of({ description: 'old words' }));
  expect(of({ title: 'b' })).not.toBe(of({}));
});
