import { onTestFinished } from 'vitest';
import { startService, type TestService } from '../support/service.ts';
import type { Route } from './ways.ts';

/** Starts services with a shared new database on this way. They run until the end of the test. */
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
  for (let index = 0; index < count; index++) {
    const url = new URL(database.url);
    url.searchParams.set('application_name', replicaName(index));
    services.push(await startService({ database, env: { ...env, DATABASE_URL: url.href } }));
  }
  return services;
}

/** The `application_name` of the sessions of the `index`-th service. */
export const replicaName = (index: number): string => `replica_${index}`;
