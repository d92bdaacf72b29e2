import { Agent, request } from 'node:http';

/** The answer to one request. `status` is 0 when there was none, and `error` then has the reason. */
export interface Reply {
  readonly status: number;
  readonly error?: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape
  readonly body: any;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly ms: number;
  /** The times of sending and of the complete answer, by `performance.now()`. */
  readonly begun: number;
  readonly ended: number;
}

export interface Sending {
  readonly method: string;
  readonly path: string;
  readonly key?: string;
  readonly body?: unknown;
}

/** One caller with one keep-alive connection. It waits for each answer and never sends a request twice. */
export class Client {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #url: URL;

  constructor(url: string) {
    this.#url = new URL(url);
  }

  send({ method, path, key, body }: Sending): Promise<Reply> {
    const begun = performance.now();
    const text = body === undefined ? '' : JSON.stringify(body);
    return new Promise((resolve) => {
      const end = (reply: Pick<Reply, 'status' | 'error' | 'body' | 'headers'>) => {
        const ended = performance.now();
        resolve({ ...reply, begun, ended, ms: ended - begun });
      };
      const none = (error: NodeJS.ErrnoException) =>
        end({ status: 0, error: error.code ?? error.message, body: undefined, headers: {} });
      const sent = request(
        {
          agent: this.#agent,
          host: this.#url.hostname,
          port: this.#url.port,
          method,
          path,
          headers: {
            ...(key !== undefined && { authorization: `Bearer ${key}` }),
            ...(text !== '' && {
              'content-type': 'application/json',
              'content-length': Buffer.byteLength(text),
            }),
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', none);
          response.on('end', () => {
            const { statusCode: status = 0, headers } = response;
            const answer = Buffer.concat(chunks).toString();
            const isJson = headers['content-type']?.startsWith('application/json') && answer !== '';
            end({ status, headers, body: isJson ? JSON.parse(answer) : answer });
          });
        },
      );
      sent.on('error', none);
      sent.end(text);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Runs `count` pieces of work on `width` clients. Each client does one at a time. */
export async function spread(
  url: string,
  { count, width }: { count: number; width: number },
  work: (client: Client, index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const one = async () => {
    const client = new Client(url);
    try {
      while (next < count) await work(client, next++);
    } finally {
      client.close();
    }
  };
  await Promise.all(Array.from({ length: width }, one));
}
