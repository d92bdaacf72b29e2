import type { RetentionTable } from '../label-values.ts';
import { describeError } from './describe-error.ts';
import type { Instruments } from './instruments.ts';
import type { Logger } from './logger.ts';

/** What happens beside the requests, in the background of a replica. */
export interface BackgroundEvents {
  /** Work on webhooks failed in this service, not at a receiver; it is repeated. */
  webhookWorkFailed(event: { step: string; error: unknown }): void;
  /** A look for anomalies failed; it is repeated. */
  anomalyScanFailed(event: { error: unknown }): void;
  /** A step of background work failed; it is repeated. */
  backgroundWorkFailed(event: {
    work:
      | 'tallies'
      | 'removals'
      | 'key_uses'
      | 'last_counts'
      | 'operator_changes'
      | 'revocation_feed'
      | 'event_stream'
      | 'checkpoints';
    error: unknown;
  }): void;
  /** Rows that had ended long ago were removed, and that is committed. Only a metric. */
  rowsRemoved(event: { table: RetentionTable; rows: number }): void;
  /** A step of that removal failed; it is repeated. */
  retentionFailed(event: { step: string; error: unknown }): void;
}

/** Events of the background. Each is guarded by itself. */
export function createBackgroundEvents(instruments: Instruments, logger: Logger): BackgroundEvents {
  const { guard } = instruments;
  return {
    webhookWorkFailed({ step, error }) {
      guard.run(() => logger.warn({ step, error: describeError(error) }, 'webhook.work_failed'));
    },
    anomalyScanFailed({ error }) {
      guard.run(() => logger.warn({ error: describeError(error) }, 'anomaly.scan_failed'));
    },
    backgroundWorkFailed({ work, error }) {
      guard.run(() => logger.warn({ work, error: describeError(error) }, 'background.work_failed'));
    },
    rowsRemoved({ table, rows }) {
      if (rows > 0) guard.run(() => instruments.retentionRemoved.add(rows, { table }));
    },
    retentionFailed({ step, error }) {
      guard.run(() => logger.warn({ step, error: describeError(error) }, 'retention.failed'));
    },
  };
}
