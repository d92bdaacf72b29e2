import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseTarget } from '../../src/database-url/target.ts';
import { faultsOf } from '../db/faults-of.ts';
import { Authority, type Certificate } from '../support/certificates.ts';

let directory: string;
let authority: Authority;
let client: Certificate;
let locked: Certificate;
const file = (name: string, content: string) => {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
};
const tlsOf = (parameters: Record<string, string>) =>
  parseTarget(`postgres://db?${new URLSearchParams(parameters)}`).tls;
const faults = (parameters: Record<string, string>) =>
  faultsOf(`postgres://db?${new URLSearchParams(parameters)}`);

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'grantex-target-'));
  authority = await Authority.create();
  client = await authority.client('grantex');
  locked = await authority.client('grantex', 'hunter2');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('an authority; sslmode=require then verifies the chain', () => {
  const sslrootcert = file('ca.crt', authority.cert);
  expect(tlsOf({ sslrootcert, sslmode: 'require' })).toMatchObject({
    mode: 'verify-ca',
    ca: authority.cert,
  });
  expect(tlsOf({ sslrootcert, sslmode: 'verify-full' })).toMatchObject({ mode: 'verify-full' });
  expect(tlsOf({ sslrootcert })).toMatchObject({ mode: 'prefer', ca: authority.cert });
});

test('a certificate and its key', () => {
  const files = { sslcert: file('c.crt', client.cert), sslkey: file('c.key', client.key) };
  expect(tlsOf(files)).toMatchObject(client);
  expect(tlsOf({ ...files, sslcertmode: 'disable' })).toMatchObject({ cert: null, key: null });
  expect(faults({ sslcert: files.sslcert })).toEqual(['sslcert and sslkey need each other']);
  expect(faults({ ...files, sslkey: file('other.key', authority.key) })).toEqual([
    'sslkey must be the key of the first certificate in sslcert',
  ]);
});

test('a key that needs a password', () => {
  const files = { sslcert: file('l.crt', locked.cert), sslkey: file('l.key', locked.key) };
  expect(tlsOf({ ...files, sslpassword: 'hunter2' })).toMatchObject({ ...locked, passphrase: 'hunter2' });
  const expected = [expect.stringMatching(/^sslkey must be .* which sslpassword opens/)];
  expect(faults(files)).toEqual(expected);
  expect(faults({ ...files, sslpassword: 'wrong' })).toEqual(expected);
});

test('a list of revoked certificates', () => {
  const content = readFileSync(new URL('fixtures/another-authority.crl', import.meta.url), 'utf8');
  expect(tlsOf({ sslcrl: file('x.crl', content) })).toMatchObject({ crl: content });
});

test('what is in them must be what they are for', () => {
  const broken = file('broken', authority.cert.replace(/\n.{9}/, '\nAAAAAAAAA'));
  expect(faults({ sslrootcert: file('x', 'hunter2') })).toEqual([
    'sslrootcert must be the path of a PEM file with certificates of authorities',
  ]);
  expect(faults({ sslrootcert: broken })).toEqual([expect.stringMatching(/^sslrootcert must be/)]);
  expect(faults({ sslcrl: broken })).toEqual([expect.stringMatching(/^sslcrl must be/)]);
  expect(faults({ sslcert: broken, sslkey: broken })).toEqual([
    expect.stringMatching(/^sslcert must be/),
    expect.stringMatching(/^sslkey must be/),
  ]);
});
