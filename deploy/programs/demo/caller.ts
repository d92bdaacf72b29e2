import type { Act, Outcome, RequestCounts } from './request-counts.ts';

export interface Request {
  readonly method?: string;
  /** The bearer token: an API key, or the token of a principal's session. */
  readonly key?: string | undefined;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  /** 0: there was no answer. */
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape
  readonly body: any;
}

/** Longer than the service's own deadlines. */
const TIMEOUT_MS = 20_000;

/** Sends requests and counts each by its outcome. It never repeats a request and never throws. */
export class Caller {
  readonly #base: string;
  readonly #counts: RequestCounts;

  constructor(base: string, counts: RequestCounts) {
    this.#base = base.replace(/\/+$/, '');
    this.#counts = counts;
  }

  async send(act: Act, path: string, { method, key, body, headers }: Request = {}): Promise<Answer> {
    const answer = await this.#fetch(path, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    this.#counts.add(act, outcomeOf(answer));
    return answer;
  }

  /** Like `send`, with POST and a body. */
  post(act: Act, path: string, key: string | undefined, body: unknown = {}): Promise<Answer> {
    return this.send(act, path, { method: 'POST', key, body });
  }

  async #fetch(path: string, init: RequestInit): Promise<Answer> {
    try {
      const response = await fetch(this.#base + path, init);
      const text = await response.text();
      const isJson = response.headers.get('content-type')?.startsWith('application/json');
      return { status: response.status, body: isJson && text !== '' ? JSON.parse(text) : text };
    } catch {
      return { status: 0, body: {} };
    }
  }
}

function outcomeOf({ status, body }: Answer): Outcome {
  if (status === 0) return 'no answer';
  if (status === 401) return 'unauthorized';
  if (status === 429) return 'limited';
  if (status >= 500) return 'failed';
  if (status >= 400) return body.code === 'POLICY_DENIED' ? 'denied' : 'refused';
  if (typeof body.valid === 'boolean') return body.valid ? 'valid' : 'invalid';
  return 'ok';
}
