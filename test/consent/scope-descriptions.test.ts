import fc from 'fast-check';
import { expect, test } from 'vitest';
import { describeScope } from '../../src/consent/scope-descriptions.ts';

test.each([
  ['calendar:read', 'Read your calendar'],
  ['email:send', 'Send email'],
  ['payments:initiate:max_500', 'Initiate payments (max 500)'],
  ['files:*', 'Do anything with your files'],
  ['*', 'Do everything on your behalf, without limits'],
  ['*:*', 'Do everything on your behalf, without limits'],
  ['read', 'Use the permission “read”, whose meaning the developer defines'],
  ['scope:0', 'Use the permission “scope:0”, whose meaning the developer defines'],
  ['com.acme.reports', 'Use the permission “com.acme.reports”, whose meaning the developer defines'],
  ['admin:delete:all', 'Delete “admin”, with the condition “all”'],
  ['constructor:read', 'Read “constructor”'],
  ['calendar:__proto__', 'Use the permission “calendar:__proto__”, whose meaning the developer defines'],
])('%s is said as: %s', (scope, words) => {
  expect(describeScope(scope)).toBe(words);
});

test('a quoted scope cannot end its quotation, nor turn or hide the text around it', () => {
  expect(describeScope('x” and nothing else')).toBe(
    "Use the permission “x' and nothing else”, whose meaning the developer defines",
  );
  expect(describeScope('pay\u202E:dne')).toContain('\\u{202E}');
});

test('every scope yields a sentence without invisible characters', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 256, unit: 'binary' }), (scope) => {
      const words = describeScope(scope);
      expect(words.length).toBeGreaterThan(5);
      expect(words).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    }),
  );
});
