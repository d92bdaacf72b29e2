import type { Act, Outcome, Tally } from './tally.ts';

export interface Request {
  readonly method?: string;
  /** Bearer: an API key, or the token of a principal's session. */
  readonly key?: string | undefined;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  /** 0: no answer came. */
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape
  readonly body: any;
}

/** Longer than the service ever takes by its own deadlines. */
const TIMEOUT_MS = 20_000;

/** Sends requests and counts each by what became of it. Nothing is sent twice, and nothing throws. */
export class Caller {
  readonly #base: string;
  readonly #tally: Tally;

  constructor(base: string, tally: Tally) {
    this.#base = base.replace(/\/+$/, '');
    this.#tally = tally;
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
    this.#tally.add(act, outcomeOf(answer));
    return answer;
  }

  /** The same with POST and a body. */
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
