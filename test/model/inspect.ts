import { expect } from 'vitest';
import { at, which } from './at.ts';
import { command, someOf } from './command.ts';
import type { Model } from './model.ts';
import type { Real } from './real.ts';
import { tokenKind } from './situations.ts';

export const inspect = command('inspect', (model, pick) => {
  const token = someOf(model, pick, tokenKind, which(model.tokens), () => true);
  if (token === undefined) return null;
  const { developer } = at(model.agents, at(model.grants, at(model.tokens, token).grant).agent);
  return {
    name: `inspect token ${token}`,
    look: (now, real) => inspectToken(now, real, token, developer),
  };
});

/** The three other ways to ask about a token must say the same as `verify`. */
async function inspectToken(model: Model, real: Real, token: number, developer: number): Promise<void> {
  const { jwt, jti } = at(real.given.tokens, token);
  const status = model.revocation(token);
  const grantId = at(real.given.grants, at(model.tokens, token).grant);
  const asked = await real.ask(developer, 'GET', `/v1/revocations/status?grantId=${grantId}&jti=${jti}`);
  expect(asked.body).toEqual({ revoked: status !== 'active', status });
  const verified = await real.ask(developer, 'POST', '/v1/grants/verify', { token: jwt });
  const suspended =
    model.agents[at(model.grants, at(model.tokens, token).grant).agent]?.status === 'suspended';
  const reason =
    status === 'unknown' ? 'not_found' : suspended || status === 'revoked' ? 'revoked' : 'expired';
  if (status === 'active')
    expect(verified.body).toMatchObject({ active: true, claims: { jti, grnt: grantId } });
  else expect(verified.body).toEqual({ active: false, reason });
  await inspectAsStranger(model, real, token, developer);
  const listed = await real.ask(developer, 'GET', '/v1/grants?status=active&pageSize=100');
  expect(listed.body.total).toBe(
    which(
      model.grants,
      (_, grant) => model.developerOf(grant) === developer && model.statusOf(grant) === 'active',
    ).length,
  );
}

/** To another developer it is no token at all. */
async function inspectAsStranger(model: Model, real: Real, token: number, owner: number): Promise<void> {
  const stranger = which(model.modes, (_, developer) => developer !== owner)[0] ?? owner;
  const { jwt, jti } = at(real.given.tokens, token);
  const verified = await real.ask(stranger, 'POST', '/v1/tokens/verify', { token: jwt });
  expect(verified.body).toEqual({ valid: false });
  model.counts['verify/invalid']++;
  const asked = await real.ask(stranger, 'GET', `/v1/revocations/status?jti=${jti}`);
  expect(asked.body).toEqual({ revoked: true, status: 'unknown' });
}
