import postgres from 'postgres';
import { expect, test } from 'vitest';
import {
  ConnectionLostError,
  concernsServer,
  endedBy,
  isUnfit,
  ReadOnlyServerError,
  toServiceError,
  UnreplicatedCommitError,
} from '../../src/db/errors.ts';
import { ServiceError } from '../../src/errors.ts';

type Said = { code: string; severity?: string; message?: string; fromServer?: boolean };

const fromServer = ({ code, severity = 'ERROR', message = '' }: Said) =>
  Object.assign(Object.create(postgres.PostgresError.prototype) as postgres.PostgresError, {
    code,
    severity,
    message,
  });
const lost = (words: Said | null, code = 'CONNECTION_CLOSED') =>
  new ConnectionLostError(
    words && { severity: 'FATAL', message: '', fromServer: words.code !== '08P01', ...words },
    Object.assign(new Error('lost'), { code }),
    false,
  );
const status = (error: unknown) => (error instanceof ServiceError ? error.status : 'unknown');

test.each([
  // What was sent, what came back, and what a write and a read are answered.
  ['a lock that was not free', fromServer({ code: '55P03' }), 503, 503],
  ['a statement past its time', fromServer({ code: '57014' }), 503, 503],
  ['a full disk', fromServer({ code: '53100' }), 503, 503],
  ['a server that became a standby', fromServer({ code: '25006' }), 503, 503],
  ['a deadlock', fromServer({ code: '40P01' }), 503, 503],
  ['a value out of range', fromServer({ code: '22003' }), 400, 400],
  ['a statement that is wrong', fromServer({ code: '42703' }), 'unknown', 'unknown'],
  ['ended by the server, which says so', lost({ code: '57P01' }), 503, 503],
  ['ended for the silence of its transaction', lost({ code: '25P03' }), 503, 503],
  ['ended without a word', lost(null), 'unknown', 503],
  ['reset', lost(null, 'ECONNRESET'), 'unknown', 503],
  ['silent for too long', lost(null, 'ETIMEDOUT'), 'unknown', 503],
  ['a crash in the middle of it', lost({ code: '57P02', severity: 'PANIC' }), 'unknown', 503],
  ['a pooler that lost its server', lost({ code: '08P01', message: 'server conn crashed?' }), 'unknown', 503],
  [
    'a pooler that had no server',
    lost({ code: '08P01', message: 'server login has been failing, try again later (server_login_retry)' }),
    503,
    503,
  ],
  ['another pooler that lost its server', lost({ code: '58000', fromServer: false }), 'unknown', 503],
  ['a commit that no standby has', new UnreplicatedCommitError(), 'unknown', 'unknown'],
])('%s', (_what, error, write, read) => {
  expect(status(toServiceError(error, { nothingDone: false }))).toBe(write);
  expect(status(toServiceError(error, { nothingDone: true }))).toBe(read);
});

test.each([
  [fromServer({ code: '23505' }), false],
  [fromServer({ code: '57014' }), false],
  [fromServer({ code: '55P03' }), false],
  [fromServer({ code: '25006' }), true],
  [fromServer({ code: '08006' }), true],
  [fromServer({ code: '53300', severity: 'FATAL' }), true],
  [lost(null), true],
  [new ReadOnlyServerError(), true],
  [new UnreplicatedCommitError(), true],
])('a connection that had %o is thrown away: %s', (error, unfit) => {
  expect(isUnfit(error)).toBe(unfit);
});

test('the others are not trusted either after what says something of the server', () => {
  const all = [fromServer({ code: '25006' }), lost(null, 'ETIMEDOUT'), lost({ code: '57P02' })];
  expect(all.map(concernsServer)).toEqual([true, true, true]);
  const fullPooler = Object.assign(new Error(), { code: 'ETIMEDOUT', serverIsSilent: false });
  const one = [
    lost({ code: '57P01' }),
    lost(null),
    fromServer({ code: '40001' }),
    new ConnectionLostError(null, fullPooler, true),
  ];
  expect(one.map(concernsServer)).toEqual([false, false, false, false]);
});

test('what ended a statement before its time', () => {
  expect(endedBy(fromServer({ code: '57014' }), false)).toBe('statement_timeout');
  expect(endedBy(fromServer({ code: '57014' }), true)).toBe('cancel');
  expect(endedBy(fromServer({ code: '55P03' }), false)).toBe('lock_timeout');
  expect(endedBy(lost({ code: '25P03' }), false)).toBe('idle_in_transaction');
  expect(endedBy(lost({ code: '57P01' }), true)).toBeNull();
});
