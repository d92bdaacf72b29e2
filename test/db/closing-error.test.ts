import { expect, test } from 'vitest';
import { readClosingError } from '../../src/db/closing-error.ts';

/** An ErrorResponse, or a NoticeResponse, as a server sends it. */
function message(type: 'E' | 'N', fields: Record<string, string>): Buffer {
  const body = `${Object.entries(fields)
    .map(([letter, text]) => `${letter}${text}\0`)
    .join('')}\0`;
  const header = Buffer.alloc(5);
  header.write(type);
  header.writeInt32BE(4 + Buffer.byteLength(body), 1);
  return Buffer.concat([header, Buffer.from(body)]);
}
const TERMINATED = {
  S: 'FATAL',
  V: 'FATAL',
  C: '57P01',
  M: 'terminating connection',
  R: 'ProcessInterrupts',
};
const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);

test.each([
  ['alone', message('E', TERMINATED)],
  [
    'behind other messages',
    Buffer.concat([READY, message('N', { S: 'NOTICE', C: '00000' }), message('E', TERMINATED)]),
  ],
  ['behind the end of a message', Buffer.concat([Buffer.from('rEst of a row E'), message('E', TERMINATED)])],
  ['in another language', message('E', { ...TERMINATED, S: 'SCHWERWIEGEND', M: 'Verbindung wird beendet' })],
])('the code with which a server ends a connection: %s', (_how, received) => {
  expect(readClosingError(received)).toMatchObject({ code: '57P01', severity: 'FATAL', fromServer: true });
});

test('a pooler passes on what the server said, and adds a word of its own: the first counts', () => {
  const own = message('E', { S: 'FATAL', C: '08P01', M: 'server conn crashed?' });
  expect(readClosingError(Buffer.concat([READY, message('E', TERMINATED), own]))).toMatchObject({
    code: '57P01',
  });
});

test('a pooler says no severity that is not translated', () => {
  const said = { S: 'FATAL', C: '08P01', M: 'server login has been failing (server_login_retry)' };
  expect(readClosingError(message('E', said))).toEqual({
    code: '08P01',
    severity: 'FATAL',
    message: said.M,
    fromServer: false,
  });
});

test.each([
  ['nothing was received', undefined],
  ['an error of a statement', message('E', { ...TERMINATED, S: 'ERROR', V: 'ERROR' })],
  ['a warning', message('N', TERMINATED)],
  ['something came after it', Buffer.concat([message('E', TERMINATED), READY])],
  ['half of it', message('E', TERMINATED).subarray(0, 20)],
  ['letters only', Buffer.from('EEEEEEEE')],
])('no word of an end: %s', (_what, received) => {
  expect(readClosingError(received)).toBeNull();
});
