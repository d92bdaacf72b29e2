import { diag } from '@opentelemetry/api';
import { afterEach, expect, test } from 'vitest';
import { logDiagnostics } from '../../instrumentation/diagnostics.ts';
import type { DiagnosticLevel } from '../../src/variables/opentelemetry.ts';

afterEach(() => diag.disable());

function listen(level: DiagnosticLevel = 'warn') {
  const lines: { level: string; message: string; suppressed: number }[] = [];
  logDiagnostics({ write: (line) => void lines.push(JSON.parse(line)) }, level);
  return { lines, messages: () => lines.map(({ message }) => message) };
}

test('what repeats itself is one line; what is said beside it is not lost', () => {
  const { lines, messages } = listen();
  for (const ms of [17, 4000, 25]) diag.warn(`export failed after ${ms} ms`);
  diag.warn('the certificate cannot be read');
  diag.error('export failed after 17 ms');
  expect(lines.map(({ level }) => level)).toEqual(['warn', 'warn', 'error']);
  expect(messages()).toEqual([
    'export failed after 17 ms',
    'the certificate cannot be read',
    'export failed after 17 ms',
  ]);
});

test('a flood of different messages is bounded', () => {
  const { lines } = listen();
  for (let n = 0; n < 1000; n++) diag.warn(`cannot read ${'x'.repeat(n)}`);
  expect(lines).toHaveLength(21);
});

test('a package that names itself says what it has to say; objects are left out', () => {
  const { messages } = listen();
  diag
    .createComponentLogger({ namespace: 'the-package' })
    .warn('cannot patch', new Error('no such method'), { authorization: 'Bearer hunter2' });
  expect(messages()).toEqual(['the-package cannot patch no such method']);
});

test('with the level info and more nothing is left out', () => {
  const { lines } = listen('info');
  for (const _ of [1, 2, 3]) diag.info('export retried');
  diag.debug('not asked for');
  expect(lines).toHaveLength(3);
});
