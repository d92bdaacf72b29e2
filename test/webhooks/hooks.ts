import { PATIENCE_MS, waitFor } from '../support/child.ts';
import type { Party } from '../support/flow.ts';
import type { Answer, TestService } from '../support/service.ts';

export const ALL_EVENTS = ['grant.created', 'grant.revoked', 'token.issued'];

/** Loopback receivers, and retries that a test can wait for. */
export const HOOK_ENV = {
  ALLOW_PRIVATE_WEBHOOK_HOSTS: 'true',
  WEBHOOK_BACKOFF_SECONDS: '1',
  // No test's receiver takes so long by accident, however busy the machine.
  WEBHOOK_TIMEOUT_MS: '30000',
};

export interface Hook {
  readonly id: string;
  readonly url: string;
  readonly events: string[];
  readonly secret: string;
  readonly createdAt: string;
}

export interface DeliveryView {
  readonly id: string;
  readonly webhookId: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly status: 'pending' | 'delivered' | 'failed';
  readonly attempts: number;
  readonly maxAttempts: number;
  readonly url: string;
  readonly lastError: string | null;
  readonly createdAt: string;
  readonly deliveredAt: string | null;
}

/** Registers a webhook; it must be accepted. */
export async function hook(
  service: TestService,
  { key }: Pick<Party, 'key'>,
  url: string,
  events: readonly string[] = ALL_EVENTS,
): Promise<Hook> {
  const { status, body } = await service.request('POST', '/v1/webhooks', { key, body: { url, events } });
  if (status !== 201) throw new Error(`webhook: ${status} ${JSON.stringify(body)}`);
  return body;
}

export const listDeliveries = (
  service: TestService,
  { key }: Pick<Party, 'key'>,
  { id }: Pick<Hook, 'id'>,
  query = '',
): Promise<Answer> => service.request('GET', `/v1/webhooks/${id}/deliveries?pageSize=100${query}`, { key });

/** The deliveries of a webhook, once there are `count` that `hold`. */
export const deliveriesOnce = (
  service: TestService,
  party: Pick<Party, 'key'>,
  of: Pick<Hook, 'id'>,
  holds: (one: DeliveryView) => boolean,
  count = 1,
  timeoutMs = PATIENCE_MS,
): Promise<DeliveryView[]> =>
  waitFor(async () => {
    const { body } = await listDeliveries(service, party, of);
    const found = (body.deliveries as DeliveryView[]).filter(holds);
    return found.length >= count ? found : undefined;
  }, timeoutMs);

export const ended = ({ status }: DeliveryView): boolean => status !== 'pending';
