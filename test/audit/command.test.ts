import { afterAll, beforeAll, expect, test } from 'vitest';
import { npmOutput, npmRun } from '../support/command.ts';
import { type Chains, openChains } from './chain-of.ts';

let chains: Chains;
beforeAll(async () => {
  chains = await openChains();
});
afterAll(() => chains.close());

const env = () => ({ DATABASE_URL: chains.database.url });
const intactChains = () => npmOutput('audit', ['verify'], env());

test('npm run audit -- verify: a table of all chains, and exit 1 with the first broken entry', async () => {
  expect(await intactChains()).toBe('no chain has an entry\n');
  const intact = await chains.chain([0, 1, 60]);
  const other = await chains.chain([0, 60, 61]);
  await chains.chain([]);
  const cells = (text: string) =>
    text
      .split('\n')
      .filter((line) => line.startsWith('| dev_'))
      .map((line) => line.split('|').map((cell) => cell.trim()));
  expect(cells(await intactChains())).toEqual([
    ['', intact.developerId, 'intact', '3', '2', intact.ids[2], '', ''],
    ['', other.developerId, 'intact', '3', '2', other.ids[2], '', ''],
  ]);

  await chains.database.sql`update audit_entries set principal_id = 'x' where id = ${other.ids[1] ?? ''}`;
  await chains.database.sql`delete from audit_entries where id = ${intact.ids[2] ?? ''}`;
  const broken = await npmRun('audit', ['verify'], env());
  expect([broken.code, broken.stderr]).toEqual([1, '']);
  expect(cells(broken.stdout)).toEqual([
    ['', intact.developerId, 'BROKEN', '2', '1', intact.ids[1], intact.ids[2], ''],
    ['', other.developerId, 'BROKEN', '1', '1', other.ids[0], other.ids[1], ''],
  ]);
  expect(broken.stdout.split('\n\n')[1]).toBe(
    `broken: 2 of 2\n${intact.developerId}: at ${intact.ids[2]} an entry is missing, or one was put in\n` +
      `${other.developerId}: ${other.ids[1]} is not what was appended\n`,
  );
});
