import type fc from 'fast-check';
import { deleteAgent, newAgent, pass, setStatus } from './agent-commands.ts';
import type { Command } from './command.ts';
import {
  authorize,
  decide,
  delegate,
  exchange,
  refresh,
  revokeGrant,
  revokeToken,
} from './grant-commands.ts';
import { inspect } from './inspect.ts';
import { addPolicy, changePolicy, removePolicy } from './policies/commands.ts';
import { takeBack } from './principals/commands.ts';
import { registerWebhook, removeWebhook } from './webhooks/commands.ts';

/** Several times in the list: more often. Runs must get grants before they can lose them. */
export const COMMANDS: fc.Arbitrary<Command>[] = [
  ...Array(5).fill(authorize),
  ...Array(6).fill(decide('approved')),
  ...Array(6).fill(exchange('exchange', false)),
  ...Array(4).fill(delegate),
  ...Array(3).fill(refresh('refresh', 'fresh', 0)),
  ...Array(2).fill(refresh('retry', 'used with a key', 4)),
  ...Array(2).fill(setStatus('active')),
  refresh('reuse', 'used', 0),
  exchange('replay', true),
  ...Array(2).fill(decide('denied')),
  pass,
  newAgent,
  revokeGrant,
  takeBack,
  ...Array(2).fill(addPolicy),
  changePolicy,
  ...Array(2).fill(removePolicy),
  registerWebhook,
  removeWebhook,
  revokeToken,
  setStatus('suspended'),
  deleteAgent,
  pass,
  inspect,
];
