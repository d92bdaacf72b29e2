import type { Party, TokenPair } from '../../support/flow.ts';
import { Client, type Reply, type Sending } from '../client.ts';

/** Two callers that ask ten times a second stay far below each default limit. */
const CALLERS = 2;
const PAUSE_MS = 100;

/** The answers to a tenant during one phase. */
export interface Phase {
  readonly replies: readonly Reply[];
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** A tenant that does what tenants do, at a steady pace. */
export class QuietTenant {
  readonly #clients: Client[];
  readonly #mix: readonly Sending[];

  constructor(url: string, { key, agentId }: Party, { grantToken, grantId }: TokenPair) {
    this.#clients = Array.from({ length: CALLERS }, () => new Client(url));
    const verify = { method: 'POST', path: '/v1/tokens/verify', key, body: { token: grantToken } };
    this.#mix = [
      verify,
      { method: 'GET', path: `/v1/grants/${grantId}`, key },
      verify,
      {
        method: 'POST',
        path: '/v1/authorize',
        key,
        body: { agentId, principalId: 'user_1', scopes: ['calendar:read'] },
      },
    ];
  }

  /** Works until `ended` resolves. */
  async during(ended: Promise<unknown>): Promise<Phase> {
    const replies: Reply[] = [];
    let working = true;
    const stop = () => {
      working = false;
    };
    void ended.then(stop, stop);
    await Promise.all(
      this.#clients.map(async (client, index) => {
        for (let turn = index; working; turn++) {
          const sending = this.#mix[turn % this.#mix.length];
          if (sending) replies.push(await client.send(sending));
          await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
        }
      }),
    );
    const sorted = replies.map(({ ms }) => ms).sort((a, b) => a - b);
    const quantile = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
    return { replies, p50: quantile(0.5), p99: quantile(0.99) };
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}
