// How one export by OTLP went. Main thread and log worker both use it, with different versions of OpenTelemetry's packages.
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import type { ClientRequest, IncomingMessage } from 'node:http';

/** Plain values, because an outcome crosses threads. */
export interface ExportOutcome {
  /** Where to, without credentials and query; absent: no request was made. */
  readonly url?: string | undefined;
  /** A status, the code of the system or of TLS, or one of our words; absent: the collector took everything. */
  readonly error?: string | undefined;
  /** For people; with `error` only. */
  readonly message?: string | undefined;
  /** Items that did not arrive. */
  readonly lost: number;
}

/** What OpenTelemetry's exporters report. `error` has a number as `code` for a status, and a text for a failed connection. */
interface ExportResult {
  readonly code: number;
  readonly error?: (Error & { readonly code?: number | string }) | undefined;
}

/** What is seen of an export under way. */
interface Attempt {
  url?: string;
  /** Of the latest request; the exporter tells none of the statuses after which it tries again. */
  status?: number | undefined;
  partial?: { readonly rejected: number; readonly text: string };
}

const SUCCESS = 0;
/** What a collector says of itself may be long. */
const MOST_TEXT = 200;

const attempts = new AsyncLocalStorage<Attempt>();

subscribe('http.client.request.created', (message) => {
  const attempt = attempts.getStore();
  if (attempt === undefined) return;
  const { request } = message as { request: ClientRequest };
  const path = request.path.split('?', 1)[0];
  attempt.url = `${request.protocol}//${request.getHeader('host')}${path}`;
  attempt.status = undefined;
  request.on('response', ({ statusCode }: IncomingMessage) => {
    attempt.status = statusCode;
  });
});

/**
 * Sends `items` items by `send`, an exporter's `export`, and hands over how it went.
 * @param ended is called once, whatever happens
 */
export function attemptExport(
  items: number,
  send: (done: (result: ExportResult) => void) => void,
  ended: (outcome: ExportOutcome) => void,
): void {
  const attempt: Attempt = {};
  attempts.run(attempt, send, (result) => ended(outcomeOf(items, result, attempt)));
}

/**
 * Takes note of a partial success: the exporters only tell their logger of it, within the export.
 * @param said what was passed to a method of the logger
 * @returns whether it was one
 */
export function notePartialSuccess(said: readonly unknown[]): boolean {
  const attempt = attempts.getStore();
  if (attempt === undefined || said[0] !== 'Received Partial Success response:') return false;
  try {
    const { errorMessage = '', ...counts } = JSON.parse(String(said[1])) as Record<string, unknown>;
    // `rejectedSpans`, `rejectedLogRecords` or `rejectedDataPoints`; 64-bit integers are texts in JSON.
    const rejected = Number(Object.values(counts)[0]);
    // Also when it is no number.
    attempt.partial = { rejected: Math.max(rejected || 0, 0), text: String(errorMessage) };
  } catch {
    return false;
  }
  return true;
}

function outcomeOf(items: number, { code, error }: ExportResult, attempt: Attempt): ExportOutcome {
  const { url, status, partial } = attempt;
  if (code === SUCCESS) {
    if (partial === undefined) return { url, lost: 0 };
    const lost = Math.min(partial.rejected, items);
    return {
      url,
      error: 'partial_success',
      message: cut(`the collector rejected some: ${partial.text}`),
      lost,
    };
  }
  const answered = typeof error?.code === 'number' ? error.code : undefined;
  if (typeof error?.code === 'string')
    return { url, error: error.code, message: cut(error.message || error.code), lost: items };
  if (error?.message === 'Request timed out')
    return { url, error: 'ETIMEDOUT', message: 'the collector did not answer in time', lost: items };
  if (error?.message === 'Concurrent export limit reached')
    return { url, error: 'too_many_exports', message: 'too many exports are under way', lost: items };
  const last = answered ?? status;
  if (last !== undefined && last > 299)
    return { url, error: String(last), message: `the collector answered ${last}`, lost: items };
  return {
    url,
    error: error?.name ?? 'Error',
    message: cut(error?.message ?? 'no reason was given'),
    lost: items,
  };
}

const cut = (text: string): string => (text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}…` : text);
