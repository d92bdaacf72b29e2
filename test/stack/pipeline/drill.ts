import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { type Client, spread } from '../../faults/client.ts';
import { memoryOf } from '../../load/cpu.ts';
import { medianOf, type Row, round } from '../../load/table.ts';
import { newParty, type Party } from '../../support/flow.ts';
import { type TestService, waitFor } from '../../support/service.ts';

/** The requests of one turn. The two services take turns, so that other work of the machine affects both. */
const TURN = 500;
const TURNS = 4;
const WIDTH = 8;
export const GC = {
  NODE_OPTIONS: `--import=${fileURLToPath(new URL('../../faults/fixtures/gc.ts', import.meta.url))}`,
};
/** SHUTDOWN_TIMEOUT_MS and the time for the end of the process itself. */
const SHUTDOWN_SECONDS = 10.5;

/** The allowed ratio of latencies. Waiting for a collector would take seconds and exceed it; noise stays far below. */
const MUCH_SLOWER = 5;
/**
 * The allowed additional memory in MiB. The queues limit the data for the collector to some thousand spans and lines.
 */
const HELD_MIB = 25;

/** A service under load, with the latencies of its turns. */
export class Subject {
  readonly service: TestService;
  readonly #party: Party;
  readonly #turns: number[][] = [];
  #sent = 0;

  private constructor(service: TestService, party: Party) {
    this.service = service;
    this.#party = party;
  }

  static async of(service: TestService): Promise<Subject> {
    const subject = new Subject(service, await newParty(service));
    // The first turn warms up the code, so that both services are comparable.
    await subject.turn(false);
    return subject;
  }

  /** Verifies invalid tokens. Each request causes one log line and one trace, and must be answered. */
  async turn(counts = true): Promise<void> {
    const times: number[] = [];
    await spread(this.service.url, { count: TURN, width: WIDTH }, async (client: Client) => {
      const token = `garbage.${this.#sent++}`;
      const reply = await client.send({
        method: 'POST',
        path: '/v1/tokens/verify',
        key: this.#party.key,
        body: { token },
      });
      expect([reply.status, reply.body.valid]).toEqual([200, false]);
      times.push(reply.ms);
    });
    if (counts) this.#turns.push(times);
  }

  /** The median over all turns of a quantile within each, in milliseconds. */
  latency(quantile: number): number {
    return medianOf(this.#turns, (times) => {
      const sorted = [...times].sort((a, b) => a - b);
      return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))] ?? Number.NaN;
    });
  }

  /** The heap of the main thread after a garbage collection, in MiB. */
  async heap(): Promise<number> {
    const { logs, process } = this.service;
    const collections = () => logs.filter(({ msg }) => msg === 'heap.collected');
    const before = collections().length;
    process.kill('SIGUSR2');
    const line = await waitFor(() => collections()[before]);
    return Number(line['heapMiB']);
  }

  async lost(signal: 'traces' | 'logs'): Promise<number> {
    return (await this.service.scrape()).value('grantex_telemetry_dropped_total', { signal }) ?? Number.NaN;
  }

  /** Sends requests until the trace of one of them has arrived. */
  async untilTraced(hasArrived: (traceId: string) => boolean | Promise<boolean>): Promise<void> {
    const ids: string[] = [];
    const look = async () => {
      ids.push(await this.#traced());
      return (await Promise.all(ids.map(hasArrived))).includes(true);
    };
    await expect.poll(look, { timeout: 60_000, interval: 500 }).toBe(true);
  }

  /** Sends one more request. @returns the id of its trace */
  async #traced(): Promise<string> {
    const token = `garbage.${this.#sent++}`;
    const before = this.#failures().length;
    const { key } = this.#party;
    await this.service.request('POST', '/v1/tokens/verify', { key, body: { token } });
    const line = await waitFor(() => this.#failures()[before]);
    return String(line['trace_id']);
  }

  /**
   * Sends SIGTERM. The service must end with code 0 within its limit. Standard output must have a line for every
   * request and for the end.
   */
  async end(): Promise<number> {
    const begun = performance.now();
    expect(await this.service.stop()).toBe(0);
    const seconds = (performance.now() - begun) / 1000;
    expect(seconds).toBeLessThan(SHUTDOWN_SECONDS);
    await waitFor(() => (this.service.logs.at(-1)?.msg === 'service.stopped' ? true : undefined));
    expect(this.#failures()).toHaveLength(this.#sent);
    return seconds;
  }

  /** The number of lines of standard output that must also go to the collector. */
  get lines(): number {
    return this.service.logs.filter(({ msg }) => !['heap.collected', 'otel.diagnostic'].includes(msg)).length;
  }

  #failures() {
    return this.service.logs.filter(({ msg }) => msg === 'token.verification_failed');
  }
}

/**
 * Runs load on both services in turn. `trouble` runs during each turn of the second and gets the number of the turn.
 */
export async function alternate(
  healthy: Subject,
  troubled: Subject,
  trouble: (turn: number) => Promise<void> | void = () => undefined,
): Promise<Row> {
  for (let turn = 0; turn < TURNS; turn++) {
    await healthy.turn();
    await Promise.all([troubled.turn(), trouble(turn)]);
  }
  const [heap, reference] = [await troubled.heap(), await healthy.heap()];
  const ratio = (quantile: number) => troubled.latency(quantile) / healthy.latency(quantile);
  expect(ratio(0.5)).toBeLessThan(MUCH_SLOWER);
  expect(heap - reference).toBeLessThan(HELD_MIB);
  return {
    'p50 ratio': round(ratio(0.5)),
    'p99 ratio': round(ratio(0.99)),
    'p99 ms': round(troubled.latency(0.99)),
    'heap MiB': round(heap),
    'of the healthy one': round(reference),
    'resident MiB': memoryOf(troubled.service.process.pid ?? 0),
  };
}
