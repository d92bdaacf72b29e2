import { onTestFinished } from 'vitest';
import { startService, type TestService } from '../support/service.ts';
import type { Route } from './ways.ts';

/** Services with a database of their own on this way, until the end of the test. */
export async function startOn(
  route: Route,
  count: number,
  env: Record<string, string> = {},
): Promise<TestService[]> {
  const { server } = route;
  await route.mend();
  const name = await server.newDatabase();
  const database = {
    url: route.url(name),
    sql: server.sqlOf(name),
    drop: () => server.drop(name),
  };
  const services: TestService[] = [];
  onTestFinished(async () => {
    for (const service of services) service.process.kill('SIGKILL');
    await database.drop();
  });
  for (let started = 0; started < count; started++) services.push(await startService({ database, env }));
  return services;
}
