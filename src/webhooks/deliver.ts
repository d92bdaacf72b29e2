import type { TakenJob } from '../db/job-queue.ts';
import type { Deps } from '../deps.ts';
import { eventText } from '../events/event.ts';
import type { Sealer } from '../secrets/sealing.ts';
import { parseTraceParent } from '../telemetry/trace-parent.ts';
import type { DueDelivery } from './delivery-store.ts';
import { loggableUrl } from './judge-url.ts';
import { retryDelay } from './retry-delay.ts';
import { secretsAt } from './secret.ts';
import type { AttemptResult, Message, Sender } from './send-message.ts';
import type { DeliveryJob, Settler } from './settle.ts';
import { signMessage } from './sign-message.ts';

export type DeliverDeps = Pick<Deps, 'telemetry' | 'clock' | 'config'> & { readonly sealer: Sealer };

/** RFC 9110 §15.5.11: the receiver is gone permanently. */
const GONE = 410;

/**
 * Makes one attempt at a delivery and stores the result. Its span begins a new trace and links to the span that caused the
 * event, which may be old and of another replica.
 * @param signal aborts the attempt; the delivery then goes back to the queue as if it had not been tried
 * @throws when the secret cannot be opened
 */
export async function deliver(
  { telemetry, clock, config, sealer }: DeliverDeps,
  { sender, settler, signal }: { sender: Sender; settler: Settler; signal: AbortSignal },
  job: TakenJob<DeliveryJob>,
  delivery: DueDelivery,
): Promise<void> {
  const { webhookId, developerId, agentId, url } = delivery;
  const attributes = {
    'grantex.webhook_id': webhookId,
    'grantex.event_id': delivery.eventId,
    'grantex.event_type': delivery.eventType,
    'server.address': new URL(url).hostname,
  };
  const cause = parseTraceParent(delivery.traceparent);
  await telemetry.inLinkedSpan('grantex.webhook.deliver', { attributes, cause }, async () => {
    const message = messageOf(sealer, delivery, clock.now());
    const result = await sender.send(message, signal);
    const next = { data: job.data, group: webhookId };
    if (result === null) {
      await settler.settle({ job, end: null, next });
      return;
    }
    const attempt = delivery.attempts + 1;
    const status = statusAfter(result, attempt, delivery.maxAttempts);
    const { outcome, statusCode, error: lastError, retryAfter } = result;
    const pause = { baseSeconds: config.webhookBackoffSeconds, retryAfter, random: Math.random() };
    const delaySeconds = status === 'pending' ? retryDelay(attempt, pause) : null;
    const at = clock.now();
    const nextAttemptAt = delaySeconds === null ? null : new Date(at + delaySeconds * 1000);
    const stored = await settler.settle({
      job,
      end: {
        id: delivery.id,
        attempts: delivery.attempts,
        status,
        lastError,
        at: new Date(at),
        nextAttemptAt,
      },
      next: delaySeconds === null ? null : { ...next, delaySeconds },
    });
    // Told after the commit. When only the answer to the commit was lost, the row says one more than the counter.
    const ended = stored && status !== 'pending' ? status : null;
    const where = { webhookId, agentId, developerId, url: loggableUrl(url) };
    telemetry.events.webhookAttempted({ ...where, attempt, outcome, statusCode, ended });
  });
}

/** The bytes are the same at each attempt; their signatures are not. */
function messageOf(sealer: Sealer, delivery: DueDelivery, now: number): Message {
  const { url, eventId: id, eventType: type, createdAt, data } = delivery;
  const body = eventText({ id, type, createdAt, data });
  return {
    url,
    body,
    headers: signMessage(secretsAt(sealer, delivery, now), { id, seconds: Math.floor(now / 1000), body }),
  };
}

function statusAfter({ outcome, statusCode }: AttemptResult, attempt: number, maxAttempts: number) {
  if (outcome === '2xx') return 'delivered';
  return statusCode === GONE || attempt >= maxAttempts ? 'failed' : 'pending';
}
