import type { TestProject } from 'vitest/node';
import { buildService } from './service-build.ts';
import { SERVICE_BUILD } from './service-build-variable.ts';

/**
 * Builds the service for the tests of this run. In watch mode the sources change as it goes on, so they are used themselves;
 * with an empty `GRANTEX_TEST_SERVICE_BUILD`, too.
 */
export default async function setup({ vitest }: TestProject): Promise<void> {
  if (!vitest.config.watch) process.env[SERVICE_BUILD] ??= await buildService();
}
