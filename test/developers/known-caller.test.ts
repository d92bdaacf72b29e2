import { expect, test } from 'vitest';
import { whenKnown } from '../../src/developers/known-caller.ts';
import { notFound } from '../../src/errors.ts';
import { done, refuse } from '../../src/outcome.ts';

test('nothing goes on for a key that nobody has', async () => {
  const outcome = await whenKnown({ developerId: null }, async () => {
    throw new Error('it went on');
  });
  expect(outcome).toEqual({
    refusal: expect.objectContaining({ code: 'UNAUTHORIZED', message: 'A valid API key is required' }),
  });
});

test('a known caller gets what follows, with all that was found', async () => {
  const found = { developerId: 'dev_1', agentId: 'ag_1' };
  expect(await whenKnown(found, async (known) => done(known, known.agentId))).toEqual({
    value: found,
    agentId: 'ag_1',
  });
  const refused = refuse(notFound('Agent'), 'ag_1');
  expect(await whenKnown(found, async () => refused)).toBe(refused);
});

test('a failure after the key is known is a refusal that still names the agent', async () => {
  const failing = async (): Promise<never> => {
    throw new Error('no signing key');
  };
  const outcome = await whenKnown({ developerId: 'dev_1', agentId: 'ag_1' }, failing);
  expect(outcome).toMatchObject({ agentId: 'ag_1', refusal: { code: 'INTERNAL_ERROR', status: 500 } });
  expect(outcome).toHaveProperty('refusal.cause.message', 'no signing key');
});
