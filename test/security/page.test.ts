import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const ROOT = new URL('../../', import.meta.url);
const PAGE = readFileSync(new URL('docs/security.md', ROOT), 'utf8');
const [, TABLE = ''] = PAGE.split('## OWASP ASVS 5.0');
const ROWS = Array.from(
  TABLE.matchAll(/^\| (\d+\.\d+\.\d+) \| (.+?) \| (.+?) \| (.+) \|$/gm),
  ([, id = '', asks = '', state = '', by = '']) => ({ id, asks, state, by }),
);
const filesOf = (text: string): string[] =>
  Array.from(text.matchAll(/`((?:test|src|docs|deploy)\/[^`]+)`/g), ([, path = '']) => path);
/** `1..4` of a section. */
const numbers = (section: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${section}.${index + 1}`);

test('chapters V9, V10.4 and V16 are there whole, each row once and in order', () => {
  const ids = ROWS.map(({ id }) => id);
  expect(ids).toEqual([...new Set(ids)].sort((a, b) => a.localeCompare(b, 'en', { numeric: true })));
  const whole = [
    ...numbers('9.1', 3),
    ...numbers('9.2', 4),
    ...numbers('10.4', 16),
    ...numbers('16.1', 1),
    ...numbers('16.2', 5),
    ...numbers('16.3', 4),
    ...numbers('16.4', 3),
    ...numbers('16.5', 4),
  ];
  expect(whole.filter((id) => !ids.includes(id))).toEqual([]);
  expect(TABLE.match(/^\| \d/gm)).toHaveLength(ROWS.length);
});

test('a row is met by files that exist, and otherwise says why', () => {
  for (const { id, state, by } of ROWS) {
    expect(['met', 'not met', 'not applicable'], id).toContain(state);
    const files = filesOf(by);
    if (state === 'met') expect(files.length + Number(by.startsWith('this page')), id).toBeGreaterThan(0);
    else expect(by.length, id).toBeGreaterThan(20);
    expect(
      files.filter((path) => !existsSync(new URL(path, ROOT))),
      id,
    ).toEqual([]);
  }
});
