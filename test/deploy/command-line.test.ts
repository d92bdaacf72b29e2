import { expect, test } from 'vitest';
import { npmRun } from '../support/command.ts';

/** A command that does more than it should finds nothing to do it to. */
const ENV = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' };
const COMMANDS = [
  'build',
  'migrate',
  'keys',
  'admin',
  'audit',
  'reconcile',
  'stack',
  'demo',
  'dashboards',
  'dashboards:pictures',
  'slo',
  'rules',
];

test.each(COMMANDS)('npm run %s -- --help prints how it is used, and does nothing else', async (command) => {
  const { code, stdout, stderr } = await npmRun(command, ['--help'], ENV);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout.split('\n')[0]).toMatch(`usage: npm run ${command}`);
});

test.each(COMMANDS)('npm run %s: what is no option of it is refused in one line', async (command) => {
  expect(await npmRun(command, ['--speed', 'high'], ENV)).toEqual({
    code: 2,
    stdout: '',
    stderr: "Unknown option '--speed'; --help says what there is\n",
  });
});

test('values that cannot be used are refused in one line', async () => {
  const given = await Promise.all([
    npmRun('stack', ['twice'], {}),
    npmRun('migrate', ['extra'], ENV),
    npmRun('admin', [], ENV),
    npmRun('admin', ['grants', 'list'], ENV),
    npmRun('admin', ['agents', 'revoke', 'ag_1'], ENV),
    npmRun('admin', ['developers', 'suspend'], ENV),
    npmRun('keys', [], ENV),
    npmRun('keys', ['burn'], ENV),
    npmRun('keys', ['list', 'rotate'], ENV),
    npmRun('audit', [], ENV),
    npmRun('rules', [], {}),
    npmRun('rules', ['--output', '/nowhere', '--job', 'a"b'], {}),
    npmRun('stack', ['--directory', '--free-ports'], {}),
    npmRun('stack', ['--directory'], {}),
    npmRun('dashboards:pictures', ['--minutes', 'ten'], {}),
    npmRun('dashboards:pictures', ['--prometheus', 'http://127.0.0.1:9'], {}),
  ]);
  expect(given.map(({ code, stdout, stderr }) => [code, stdout + stderr])).toEqual([
    [2, "Unexpected argument 'twice'; --help says what there is\n"],
    [2, "Unexpected argument 'extra'; --help says what there is\n"],
    [2, 'The first word must be developers, agents or grants; --help says what there is\n'],
    [2, 'grants list wants an id of what they belong to; --help says what there is\n'],
    [2, 'The command of agents must be list or suspend or resume; --help says what there is\n'],
    [2, 'developers suspend wants an id; --help says what there is\n'],
    ...[1, 2, 3].map(() => [
      2,
      'The command must be list, rotate, revoke <kid> or reseal; --help says what there is\n',
    ]),
    [2, 'The command must be verify; --help says what there is\n'],
    [2, '--output is missing: the directory where the files go; --help says what there is\n'],
    [
      2,
      '--job a"b: a name of a scrape job has letters, digits and . _ - / only; --help says what there is\n',
    ],
    [2, "Option '--directory' argument is ambiguous; --help says what there is\n"],
    [2, "Option '--directory <value>' argument missing; --help says what there is\n"],
    [2, '--minutes must be a number from 1 to 100000; --help says what there is\n'],
    [2, 'no Prometheus answers at http://127.0.0.1:9; --help says what there is\n'],
  ]);
});
