import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';
import { type Receiver, startReceiver } from './receiver.ts';

export let service: TestService;
/** New for each test. */
export let receiver: Receiver;
/** New for each test. */
export let party: Party;

/** Gives the test file that calls this what is exported above, and takes it away again. */
export function withReceiver(env: Record<string, string>): void {
  beforeAll(async () => {
    service = await startService({ env });
  });
  afterAll(() => service.stop());
  beforeEach(async () => {
    receiver = await startReceiver();
    party = await newParty(service);
  });
  afterEach(() => receiver.close());
}
