import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { describeScope } from '../../src/pages/scope-descriptions.ts';

describe('what is known is put into words', () => {
  test.each([
    ['calendar:read', 'Read your calendar'],
    ['calendar:write', 'Make changes to your calendar'],
    ['Calendar:Read', 'Read your calendar'],
    ['email:send', 'Send email'],
    ['email:read', 'Read your email'],
    ['files:delete', 'Delete your files'],
    ['bookings:create', 'Create bookings'],
    ['contacts:manage', 'Read, change and delete your contacts'],
    ['payments:initiate', 'Initiate payments'],
    ['payments:initiate:max_500', 'Initiate payments (max 500)'],
    ['payments:initiate:max_500_eur', 'Initiate payments (max 500 eur)'],
    ['calendar:*', 'Do anything with your calendar'],
    ['*:read', 'Read everything that belongs to you'],
    ['*:*', 'Do everything on your behalf, without limits'],
    ['*', 'Do everything on your behalf, without limits'],
  ])('%s → %s', (scope, words) => expect(describeScope(scope)).toBe(words));
});

describe('what the developer named is quoted', () => {
  test.each([
    ['widgets:read', 'Read “widgets”'],
    ['com.example.calendar:read', 'Read “com.example.calendar”'],
    ['com.example.calendar.read', 'Read “com.example.calendar”'],
    ['calendar:read:work', 'Read your calendar, with the condition “work”'],
    ['calendar:read:just_your_name', 'Read your calendar, with the condition “just_your_name”'],
    ['payments:initiate:max_500:eur', 'Initiate payments, with the condition “max_500:eur”'],
    ['admin:delete:all', 'Delete “admin”, with the condition “all”'],
    ['constructor:read', 'Read “constructor”'],
  ])('%s → %s', (scope, words) => expect(describeScope(scope)).toBe(words));
});

describe('what is not understood is quoted as a whole', () => {
  test.each([
    'read',
    'scope:0',
    'com.example.reports',
    'calendar:frobnicate',
    'calendar:constructor',
    '__proto__',
    'calendar',
    ':',
    'calendar:',
    ':read',
    'https://example.com/auth/calendar.readonly',
    'your public name:read',
    'nothing at all, promised.read',
    'саlendar:frobnicate',
  ])('%s', (scope) => {
    expect(describeScope(scope)).toBe(`Use the permission “${scope}”, whose meaning the developer defines`);
  });

  test('look-alike letters do not pass for a known word', () => {
    expect(describeScope('саlendar:read')).toContain('Use the permission');
  });

  test('a scope cannot end its quotation', () => {
    expect(describeScope('x”. That is all. “y')).toContain("“x'. That is all. 'y”, whose meaning");
  });

  test.each([
    ['\u202Eread', '“\\u{202E}read”'],
    ['calendar:read\u200B', '“calendar:read\\u{200B}”'],
    [' calendar', '“\\u{20}calendar”'],
    ['a\nb', '“a\\u{A}b”'],
    ['\uD800', '“\\u{D800}”'],
  ])('what cannot be seen in %j is spelled out', (scope, quoted) =>
    expect(describeScope(scope)).toContain(quoted),
  );
});

test('every string gives one visible line', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 256, unit: 'binary' }), (scope) => {
      const words = describeScope(scope);
      expect(words).toMatch(/^[A-Z].+$/u);
      expect(words).not.toMatch(/[[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]--[ ]]/v);
    }),
  );
});
