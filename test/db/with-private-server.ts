import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import type postgres from 'postgres';
import { afterAll, beforeAll } from 'vitest';
import { startPrivateServer } from './private-server.ts';

export let server: Awaited<ReturnType<typeof startPrivateServer>>;
export let admin: postgres.Sql;

/** Gives the test file that calls this a server of its own, and requests a context to run in. */
export function withPrivateServer(): void {
  const contexts = new AsyncLocalStorageContextManager();
  beforeAll(async () => {
    context.setGlobalContextManager(contexts.enable());
    server = await startPrivateServer();
    ({ admin } = server);
  });
  afterAll(async () => {
    await server.stop();
    context.disable();
  });
}
