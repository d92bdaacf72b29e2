import { onTestFinished } from 'vitest';
import { type StartOptions, startService, type TestService } from '../support/service.ts';

/** A service that does not outlive its test, however the test ends. */
export async function startOwnService(options?: StartOptions): Promise<TestService> {
  const service = await startService(options);
  onTestFinished(() => void service.process.kill('SIGKILL'));
  return service;
}
