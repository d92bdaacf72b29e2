import { expect, test } from 'vitest';
import { attemptsOfOneWebhook, MAX_UNDER_WAY } from '../../src/webhooks/attempts-share.ts';

const WEBHOOKS_OF_ONE = 20;

/** Developers that take as much as they are let, one after the other, until no place is left. @returns how many got any */
function developersServed(): number {
  let underWay = 0;
  let developers = 0;
  for (; underWay < MAX_UNDER_WAY; developers++)
    for (let webhook = 0; webhook < WEBHOOKS_OF_ONE; webhook++)
      for (let own = 0; own < attemptsOfOneWebhook(underWay) && underWay < MAX_UNDER_WAY; own++) underWay++;
  return developers;
}

test('one developer takes a fifth of the places at most, and it takes more than twenty to take them all', () => {
  expect([attemptsOfOneWebhook(0), attemptsOfOneWebhook(499)]).toEqual([10, 10]);
  expect([attemptsOfOneWebhook(500), attemptsOfOneWebhook(999)]).toEqual([1, 1]);
  expect(WEBHOOKS_OF_ONE * attemptsOfOneWebhook(0)).toBe(MAX_UNDER_WAY / 5);
  expect(developersServed()).toBeGreaterThan(20);
});
