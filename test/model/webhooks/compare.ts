import { expect, vi } from 'vitest';
import { PATIENCE_MS } from '../../support/child.ts';
import { deliveryLedgerOf } from '../../support/ledger.ts';
import { at, which } from '../at.ts';
import { principalId } from '../given.ts';
import type { Model } from '../model.ts';
import type { Real } from '../real.ts';
import type { Manner, Told } from './model.ts';

const WITHIN = { timeout: PATIENCE_MS, interval: 20 };
/** How deliveries to a receiver of each manner end, and after how many attempts. */
const ENDED_AS: Readonly<Record<Manner, string>> = { well: 'delivered', gone: 'failed', slowly: 'delivered' };
const ATTEMPTS: Readonly<Record<Manner, number>> = { well: 1, gone: 1, slowly: 2 };

/** What holds at any time: a delivery is written by the statement that makes the change, not some time later. */
export async function compareWebhooks(model: Model, real: Real, before: number): Promise<void> {
  const hooks = standing(model);
  const [ledger] = await Promise.all([
    deliveryLedgerOf(real.service.database),
    ...real.given.developers.map(async (_, developer) => {
      const { body } = await real.ask(developer, 'GET', '/v1/webhooks');
      const own = hooks.filter((hook) => at(model.webhooks.all, hook).developer === developer);
      const ids = body.webhooks.map(({ id }: { id: string }) => id);
      expect(ids.sort()).toEqual(own.map((hook) => at(real.given.webhooks, hook).id).sort());
    }),
    ...hooks.map(async (hook) => {
      const { developer, told } = at(model.webhooks.all, hook);
      const { id } = at(real.given.webhooks, hook);
      const { body } = await real.ask(developer, 'GET', `/v1/webhooks/${id}/deliveries?pageSize=1`);
      expect([hook, body.total]).toEqual([hook, told.length]);
    }),
  ]);
  const { delivered, failed, pending } = ledger;
  expect(delivered + failed + pending).toBe(before + model.webhooks.deliveries());
}

/**
 * What comes true by and by: each webhook got what it must and nothing else, each event under one id and with one text,
 * however often it came. One that was removed may have missed some.
 */
export async function compareReceived(model: Model, real: Real): Promise<void> {
  for (const [hook, { told, removed }] of model.webhooks.all.entries()) {
    const expected = told.map((event) => JSON.stringify(textOf(model, real, event))).sort();
    const look = () => eventsOf(real, hook);
    if (removed) expect(expected).toEqual(expect.arrayContaining(look()));
    else await vi.waitFor(() => expect([hook, look()]).toEqual([hook, expected]), WITHIN);
  }
  expectOneIdEach(real);
}

/** How the deliveries of the webhooks of these manners must end. */
export async function compareEnds(model: Model, real: Real, manners: readonly Manner[]): Promise<void> {
  for (const hook of standing(model)) {
    const { developer, manner, told } = at(model.webhooks.all, hook);
    if (!manners.includes(manner)) continue;
    const { id } = at(real.given.webhooks, hook);
    await vi.waitFor(async () => {
      const { body } = await real.ask(developer, 'GET', `/v1/webhooks/${id}/deliveries?pageSize=100`);
      const ends = new Set<string>(
        body.deliveries.map(
          ({ status, attempts }: { status: string; attempts: number }) => `${status} after ${attempts}`,
        ),
      );
      const expected = told.length === 0 ? [] : [`${ENDED_AS[manner]} after ${ATTEMPTS[manner]}`];
      expect([...ends]).toEqual(expected);
    }, WITHIN);
  }
}

const standing = (model: Model) => which(model.webhooks.all, ({ removed }) => !removed);

/** The distinct events that a webhook got, without ids and times, which the model does not know. */
function eventsOf(real: Real, hook: number): string[] {
  const byId = new Map<string, string>();
  for (const { body, raw } of real.webhooks.inbox.at(at(real.given.webhooks, hook).path)) {
    const text = raw.toString();
    expect(byId.get(body.id) ?? text, 'the text of a repetition').toBe(text);
    byId.set(body.id, text);
  }
  return [...byId.values()]
    .map((text) => {
      const { type, data } = JSON.parse(text);
      const { expiresAt: _, ...known } = data;
      return JSON.stringify({ type, data: known });
    })
    .sort();
}

/** Receivers of one event are told of it under one id, by which somebody with two of them knows it again. */
function expectOneIdEach(real: Real): void {
  const ids = new Map<string, string>();
  for (const { path } of real.given.webhooks)
    for (const { body } of real.webhooks.inbox.at(path)) {
      const subject = `${body.type} ${body.data.tokenId ?? body.data.grantId}`;
      expect([subject, ids.get(subject) ?? body.id]).toEqual([subject, body.id]);
      ids.set(subject, body.id);
    }
}

/** An event as a receiver must get it. */
function textOf(model: Model, real: Real, event: Told): object {
  const grantId = at(real.given.grants, event.grant);
  const { type } = event;
  if (type === 'grant.revoked') return { type, data: { grantId, cascade: event.cascade } };
  const { agent, principal, scopes, depth, parent } = at(model.grants, event.grant);
  const data = { grantId, agentId: real.agent(agent), principalId: principalId(principal), scopes };
  if (type === 'token.issued')
    return { type, data: { tokenId: at(real.given.tokens, event.token).jti, ...data } };
  return {
    type,
    data: {
      ...data,
      delegationDepth: depth,
      ...(parent !== null && { parentGrantId: at(real.given.grants, parent) }),
    },
  };
}
