import { EventEmitter } from 'node:events';
import { ServerResponse } from 'node:http';
import type { Context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';

type Listener = Parameters<ServerResponse['on']>[1];

/**
 * The context manager without the binding of emitters. The stock one wraps every listener of every request and response,
 * which is half of what instrumentation-http costs (measured: design notes, "What tracing costs").
 *
 * The price: listeners run in the context they are called from. The application enters its request's context again after
 * the body has been read, and one listener is bound here all the same: instrumentation-http's own for the end of the
 * response, the first `close` listener after `bind`. It reads the route from the active context, and a connection that
 * breaks is reported from the socket's.
 */
export class RequestContextManager extends AsyncLocalStorageContextManager {
  override bind<T>(context: Context, target: T): T {
    if (target instanceof ServerResponse) {
      this.#bindFirstClose(context, target);
      return target;
    }
    return target instanceof EventEmitter ? target : super.bind(context, target);
  }

  #bindFirstClose(context: Context, response: ServerResponse): void {
    const on = response.on;
    let bound = false;
    response.on = (event: string, listener: Listener) => {
      const first = !bound && event === 'close';
      if (first) bound = true;
      return on.call(response, event, first ? super.bind(context, listener) : listener);
    };
  }
}
