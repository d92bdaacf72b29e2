import { onTestFinished } from 'vitest';
import { type StartOptions, startService, type TestService } from '../support/service.ts';

/** Starts a service and kills it at the end of the test in any case. */
export async function startOwnService(options?: StartOptions): Promise<TestService> {
  const service = await startService(options);
  onTestFinished(() => void service.process.kill('SIGKILL'));
  return service;
}
