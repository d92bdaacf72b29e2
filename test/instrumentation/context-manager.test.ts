import { EventEmitter } from 'node:events';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { createContextKey, ROOT_CONTEXT } from '@opentelemetry/api';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RequestContextManager } from '../../instrumentation/context-manager.ts';

const KEY = createContextKey('name');
const named = (name: string) => ROOT_CONTEXT.setValue(KEY, name);
const stock = ServerResponse.prototype.emit;

let manager: RequestContextManager;
let response: ServerResponse;
beforeEach(() => {
  manager = new RequestContextManager().enable();
  response = new ServerResponse(new IncomingMessage(new Socket()));
});
afterEach(() => void manager.disable());

/** The name of the context in which a listener of `event` runs when `where` emits it. */
function heard(on: EventEmitter, event: string, where = ROOT_CONTEXT): unknown {
  let name: unknown;
  on.once(event, (...args: unknown[]) => {
    name = [manager.active().getValue(KEY), ...args];
  });
  manager.with(where, () => on.emit(event, 1, 2));
  return name;
}

test('a bound response closes in its own context, whoever closes it, and the listeners get what was emitted', () => {
  manager.bind(named('request'), response);
  expect(heard(response, 'close')).toEqual(['request', 1, 2]);
  expect(heard(response, 'close', named('socket'))).toEqual(['request', 1, 2]);
  expect(manager.active()).toBe(ROOT_CONTEXT);
});

test('every other event, and a response that is not bound, run in the context of whoever emits', () => {
  expect(heard(response, 'close', named('socket'))).toEqual(['socket', 1, 2]);
  manager.bind(named('request'), response);
  expect(heard(response, 'finish', named('socket'))).toEqual(['socket', 1, 2]);
  const emitter = new EventEmitter();
  expect(manager.bind(named('request'), emitter)).toBe(emitter);
  expect(heard(emitter, 'close', named('socket'))).toEqual(['socket', 1, 2]);
});

test('functions are bound as ever', () => {
  const bound = manager.bind(named('request'), () => manager.active().getValue(KEY));
  expect(manager.with(named('elsewhere'), bound)).toBe('request');
});

test('responses have nothing of their own, and the prototype is as it was once the manager is disabled', () => {
  manager.bind(named('request'), response);
  expect(Object.keys(response)).not.toContain('emit');
  expect(Object.keys(response)).not.toContain('on');
  expect(ServerResponse.prototype.emit).not.toBe(stock);
  manager.disable();
  expect(ServerResponse.prototype.emit).toBe(stock);
});
