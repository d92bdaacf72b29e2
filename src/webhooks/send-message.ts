import { isIP } from 'node:net';
import type { AttemptOutcome } from '../label-values.ts';
import { SERVICE_VERSION } from '../version.ts';
import { isPublicAddress } from './address.ts';
import { faultOfUrl } from './judge-url.ts';
import { BlockedAddressError, createLookup, type NameServer } from './resolve-name.ts';
import { parseRetryAfter } from './retry-delay.ts';

/** The result of an attempt. The service writes the text of `error`: it contains no secret and no text of the receiver. */
export interface AttemptResult {
  readonly outcome: AttemptOutcome;
  readonly statusCode: number | null;
  readonly error: string | null;
  /** Seconds; null: the receiver asks for nothing. */
  readonly retryAfter: number | null;
}

export interface Message {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Sender {
  /**
   * POSTs a message once. `timeoutMs` covers everything from the look-up of the name to the end of the answer. At most 64 KiB
   * of the answer are read. A redirect counts as an answer and is not followed.
   * @returns null when `signal` ended the attempt, which may have reached the receiver, or came before it
   */
  send(message: Message, signal: AbortSignal): Promise<AttemptResult | null>;
  close(): Promise<void>;
}

const MAX_ANSWER_BYTES = 64 * 1024;

/** Loads the client when it is first needed: a service without webhooks does without. */
export async function createSender(options: {
  readonly timeoutMs: number;
  readonly allowPrivate: boolean;
  readonly now: () => number;
  /** Default: the system's name servers. */
  readonly resolver?: NameServer;
}): Promise<Sender> {
  const { Agent, buildConnector, request } = await import('undici');
  const { timeoutMs, allowPrivate } = options;
  const connect = buildConnector({
    allowH2: false,
    timeout: timeoutMs,
    lookup: createLookup(allowPrivate, options.resolver),
  });
  const agent = new Agent({
    // A socket asks for no look-up when it is given an address.
    connect: (target, callback) =>
      !allowPrivate && isIP(target.hostname) !== 0 && !isPublicAddress(target.hostname)
        ? callback(new BlockedAddressError(), null)
        : connect(target, callback),
    // Each attempt opens a new connection, whose address was checked for it. The receiver may close a kept connection just
    // when it is used again. That would look like a failing receiver.
    pipelining: 0,
    headersTimeout: 0,
    bodyTimeout: 0,
  });

  return {
    async send({ url, headers, body }, signal) {
      // An event listener would not hear of it any more.
      if (signal.aborted) return null;
      // Policy may have become stricter since the webhook was registered.
      if (faultOfUrl(url, { allowPrivateWebhookHosts: allowPrivate }) !== null)
        return failed('blocked', BLOCKED);
      const attempt = new AbortController();
      const end = () => attempt.abort();
      const timer = setTimeout(end, timeoutMs);
      signal.addEventListener('abort', end, { once: true });
      try {
        const answer = await request(url, {
          dispatcher: agent,
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            'user-agent': `grantex-auth/${SERVICE_VERSION}`,
            ...headers,
          },
          body,
          signal: attempt.signal,
        });
        await skip(answer.body);
        const retryAfter = answer.headers['retry-after'];
        return answered(answer.statusCode, parseRetryAfter([retryAfter].flat()[0], options.now()));
      } catch (error) {
        if (signal.aborted) return null;
        return attempt.signal.aborted
          ? failed('timeout', `no answer within ${timeoutMs} ms`)
          : describe(error);
      } finally {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
      }
    },
    close: () => agent.destroy(),
  };
}

const BLOCKED = 'the address is not allowed';

const failed = (outcome: AttemptOutcome, error: string): AttemptResult => ({
  outcome,
  statusCode: null,
  error,
  retryAfter: null,
});

function answered(statusCode: number, retryAfter: number | null): AttemptResult {
  if (statusCode >= 200 && statusCode < 300)
    return { outcome: '2xx', statusCode, error: null, retryAfter: null };
  const outcome = statusCode < 400 ? '3xx' : statusCode < 500 ? '4xx' : '5xx';
  return { outcome, statusCode, error: `HTTP ${statusCode}`, retryAfter };
}

/** Reads the answer, so that the receiver can finish, but at most the allowed bytes of it. */
async function skip(body: AsyncIterable<Uint8Array>): Promise<void> {
  let read = 0;
  for await (const chunk of body) {
    read += chunk.length;
    if (read > MAX_ANSWER_BYTES) return;
  }
}

/** Codes are constants of Node and undici. Their messages quote names and addresses. */
function describe(error: unknown): AttemptResult {
  const causes = [error, (error as { cause?: unknown } | null)?.cause];
  if (causes.some((cause) => cause instanceof BlockedAddressError)) return failed('blocked', BLOCKED);
  const code = causes
    .map((cause) => (cause as { code?: unknown } | null)?.code)
    .find((of) => typeof of === 'string');
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT')
    return failed('timeout', 'no connection in time');
  return failed('refused', `the connection failed (${code ?? 'unknown'})`);
}
