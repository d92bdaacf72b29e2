import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { createSealer } from '../../src/secrets/sealing.ts';

const sealer = createSealer(randomBytes(32));
const SECRET = 'a private key, ключ';

test('what is sealed is opened again, and never looks the same twice', () => {
  const sealed = sealer.seal(SECRET, 'kid');
  expect(sealer.open(sealed, 'kid')).toBe(SECRET);
  expect(sealer.open(sealer.seal('', 'kid'), 'kid')).toBe('');
  expect(sealed.includes('private')).toBe(false);
  expect(sealer.seal(SECRET, 'kid').equals(sealed)).toBe(false);
});

test('one bit changed anywhere, nonce, tag or text, is refused', () => {
  const sealed = sealer.seal(SECRET, 'kid');
  for (let byte = 0; byte < sealed.length; byte++) {
    const altered = Buffer.from(sealed);
    altered.writeUInt8(sealed.readUInt8(byte) ^ 1, byte);
    expect(() => sealer.open(altered, 'kid'), `byte ${byte}`).toThrow();
  }
});

test.each<[string, () => unknown]>([
  ['another key', () => createSealer(randomBytes(32)).open(sealer.seal(SECRET, 'kid'), 'kid')],
  ['another purpose', () => sealer.open(sealer.seal(SECRET, 'kid'), 'other')],
  ['a text that was cut', () => sealer.open(sealer.seal(SECRET, 'kid').subarray(0, -1), 'kid')],
  ['a text without its whole tag', () => sealer.open(sealer.seal(SECRET, 'kid').subarray(0, 20), 'kid')],
  ['nothing', () => sealer.open(Buffer.alloc(0), 'kid')],
])('%s is refused', (_what, open) => {
  expect(open).toThrow();
});
