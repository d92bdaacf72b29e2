import { EventEmitter } from 'node:events';
import { ServerResponse } from 'node:http';
import type { Context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';

const REQUEST_CONTEXT = Symbol('context of the request');

type BoundResponse = ServerResponse & { [REQUEST_CONTEXT]?: Context };
type Emit = (this: BoundResponse, event: string, ...args: unknown[]) => boolean;

/**
 * The context manager without the binding of emitters. The stock one wraps every listener of every request and response,
 * which is half of what instrumentation-http costs (measured: design notes, "What tracing costs").
 *
 * The price: listeners run in the context they are called from. The application enters its request's context again after
 * the body has been read, and the `close` of a response is emitted in that context all the same: instrumentation-http
 * reads the route from the active context then, and a connection that breaks is reported from the socket's.
 */
export class RequestContextManager extends AsyncLocalStorageContextManager {
  readonly #emit = ServerResponse.prototype.emit as Emit;

  override enable(): this {
    const [manager, emit] = [this, this.#emit];
    // On the prototype, once: a method or a bound listener of each response's own costs a fifth of a request, because V8
    // gives every such object a new shape and carries it into the old generation.
    ServerResponse.prototype.emit = function emitClose(this: BoundResponse, event, ...args) {
      const bound = event === 'close' ? this[REQUEST_CONTEXT] : undefined;
      return bound === undefined
        ? emit.call(this, event, ...args)
        : manager.with(bound, emit, this, event, ...args);
    } as Emit;
    return super.enable();
  }

  override disable(): this {
    ServerResponse.prototype.emit = this.#emit;
    return super.disable();
  }

  override bind<T>(context: Context, target: T): T {
    if (target instanceof ServerResponse) (target as BoundResponse)[REQUEST_CONTEXT] = context;
    return target instanceof EventEmitter ? target : super.bind(context, target);
  }
}
