import { trace } from '@opentelemetry/api';
import type { RefusableOperation, RefusalReason } from '../label-values.ts';
import { requestScope } from '../request-scope.ts';
import type { Instruments } from './instruments.ts';
import type { Logger } from './logger.ts';

/** What was refused, and why. */
interface Refusal {
  readonly operation: RefusableOperation;
  readonly reason: RefusalReason;
}

export interface RefusalEvents {
  /**
   * A request of this operation was refused, or failed. 401 and 429 are told by their own events. `agentId` only of an agent
   * of the caller.
   */
  requestRefused(event: Refusal & { readonly agentId?: string | undefined }): void;
}

/** Refusals by reason: one word in the metric, in the log line, and on the span that is active. */
export function createRefusals(instruments: Instruments, logger: Logger) {
  const { guard } = instruments;
  /** For events that have a log line of their own with the same word. */
  const countRefusal = ({ operation, reason }: Refusal): void => {
    guard.run(() => trace.getActiveSpan()?.setAttribute('grantex.refusal_reason', reason));
    guard.run(() => instruments.requestsRefused.add(1, { operation, reason }));
  };
  const events: RefusalEvents = {
    requestRefused({ operation, reason, agentId }) {
      const developerId = requestScope()?.callerId ?? undefined;
      countRefusal({ operation, reason });
      guard.run(() => logger.warn({ operation, reason, developerId, agentId }, 'request.refused'));
    },
  };
  return { ...events, countRefusal };
}
