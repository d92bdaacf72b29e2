import { at, which } from '../at.ts';
import { command, developersOf, seldom, someOf } from '../command.ts';
import { webhookKind } from '../situations.ts';
import { EVENTS, type Manner } from './model.ts';

const MANNERS: readonly Manner[] = ['well', 'gone', 'slowly'];
const SOME_EVENTS = [EVENTS, ...EVENTS.map((event) => [event])];

export const registerWebhook = command('register webhook', (model, pick) => {
  const developer = pick(developersOf(model)) ?? 0;
  const manner = pick(MANNERS) ?? 'well';
  const events = pick(SOME_EVENTS) ?? EVENTS;
  return {
    name: `register a webhook of developer ${developer} for ${events.join(' ')} that answers ${manner}`,
    act: (on) => on.webhooks.register(developer, manner, events),
  };
});

export const removeWebhook = command('remove webhook', (model, pick) => {
  const isThere = (n: number) => !at(model.webhooks.all, n).removed;
  const hook = someOf(model, pick, webhookKind, which(model.webhooks.all), isThere);
  if (hook === undefined) return null;
  const any = pick(developersOf(model)) ?? 0;
  const developer = seldom(pick) ? any : at(model.webhooks.all, hook).developer;
  return {
    name: `remove webhook ${hook} by developer ${developer}`,
    act: (on) => on.webhooks.remove(developer, hook),
  };
});
