import autocannon, { type Request, type Result } from 'autocannon';

export interface Driven {
  readonly requests: number;
  readonly seconds: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** An answer was no 2xx, or was missing. */
export class RefusedError extends Error {}

/**
 * Sends `requests` in turn on each connection for the given time, or `amount` of them in total, as fast as the answers
 * come, or `rate` a second in total.
 * @throws {RefusedError} because a fast refusal is no result
 */
export async function drive(
  url: string,
  requests: Request[],
  {
    connections,
    seconds,
    rate,
    amount,
  }: { connections: number; seconds: number; rate?: number; amount?: number },
): Promise<Driven> {
  const times: number[] = [];
  const refusals = new Map<number, number>();
  const result = await new Promise<Result>((resolve, reject) => {
    // autocannon checks for the end of the run once per sample.
    const options = { url, requests, connections, duration: seconds, timeout: 10, sampleInt: 100 };
    const pace = {
      ...(rate !== undefined && { overallRate: rate }),
      ...(amount !== undefined && { amount }),
    };
    const run = autocannon({ ...options, ...pace }, (error, ended) =>
      error ? reject(error) : resolve(ended),
    );
    run.on('response', (_client, status, _bytes, milliseconds) => {
      if (status >= 200 && status < 300) times.push(milliseconds);
      else refusals.set(status, (refusals.get(status) ?? 0) + 1);
    });
  });
  if (refusals.size > 0 || result.errors > 0 || times.length === 0)
    throw new RefusedError(
      `${requests[0]?.path}: ${times.length} good answers, ${result.errors} errors, statuses ${JSON.stringify([...refusals])}`,
    );
  times.sort((a, b) => a - b);
  const quantile = (q: number) => times[Math.min(times.length - 1, Math.floor(q * times.length))] ?? 0;
  return { requests: times.length, seconds: result.duration, p50: quantile(0.5), p99: quantile(0.99) };
}
