import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { waitFor } from '../support/child.ts';
import type { TestService } from '../support/service.ts';

/** An entry as a client reads it. */
export interface ReadEntry {
  readonly seq: number;
  readonly action: string;
  readonly grantId: string;
  readonly jti?: string;
  readonly expiresAt: string;
  readonly at: string;
}

/** One event of a stream. */
export interface StreamEvent {
  readonly id?: string;
  readonly event?: string;
  readonly data: string;
}

/** The events of a text, as the standard has it: fields of lines, an empty line after each. */
export const eventsOf = (text: string): StreamEvent[] =>
  text
    .split('\n\n')
    .slice(0, -1)
    .map((block) =>
      Object.fromEntries(
        block
          .split('\n')
          .filter((line) => !line.startsWith(':'))
          .map((line) => {
            const colon = line.indexOf(': ');
            return [line.slice(0, colon), line.slice(colon + 2)];
          }),
      ),
    ) as unknown as StreamEvent[];

export interface OpenStream {
  readonly status: number;
  readonly response: IncomingMessage;
  readonly events: readonly StreamEvent[];
  /** The entries so far, in the order in which they came. */
  entries(): ReadEntry[];
  /** Waits for the end that the service makes. */
  readonly ended: Promise<unknown>;
  close(): void;
}

/** Opens a stream; resolves with its head. */
export async function openStream(
  service: Pick<TestService, 'url'>,
  path: string,
  { key, headers = {} }: { key: string; headers?: Record<string, string> },
): Promise<OpenStream> {
  const asked = request(service.url + path, {
    headers: { authorization: `Bearer ${key}`, ...headers },
    agent: false,
  }).end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const events: StreamEvent[] = [];
  let rest = '';
  response.setEncoding('utf8').on('data', (chunk: string) => {
    rest += chunk;
    const last = rest.lastIndexOf('\n\n') + 2;
    if (last < 2) return;
    events.push(...eventsOf(rest.slice(0, last)));
    rest = rest.slice(last);
  });
  const ended = new Promise((resolve) => {
    response.once('close', resolve);
    // A service that is killed resets the connection; that is an end too.
    response.on('error', resolve);
  });
  return {
    status: response.statusCode ?? 0,
    response,
    events,
    entries: () =>
      events.filter(({ event }) => event === 'revocation').map(({ data }) => JSON.parse(data) as ReadEntry),
    ended,
    close: () => asked.destroy(),
  };
}

/** Waits until the stream has brought `count` entries. */
export const entriesOf = (stream: OpenStream, count: number): Promise<ReadEntry[]> =>
  waitFor(() => {
    const entries = stream.entries();
    return entries.length >= count ? entries : undefined;
  });

/** A whole snapshot, page by page. */
export async function snapshotOf(
  service: TestService,
  key: string,
): Promise<{ entries: ReadEntry[]; cursor: number; pages: number }> {
  const entries: ReadEntry[] = [];
  for (let token = '', pages = 1; ; pages++) {
    const { status, body } = await service.request('GET', `/v1/revocations${token}`, { key });
    if (status !== 200) throw new Error(`snapshot: ${status} ${JSON.stringify(body)}`);
    entries.push(...body.entries);
    if (!body.nextPageToken) return { entries, cursor: body.cursor, pages };
    token = `?pageToken=${body.nextPageToken}`;
  }
}

/** Polls from a cursor until there are `count` entries. */
export async function pollFrom(
  service: TestService,
  key: string,
  since: number,
  count: number,
): Promise<ReadEntry[]> {
  const entries: ReadEntry[] = [];
  let cursor = since;
  await waitFor(async () => {
    const { status, body } = await service.request('GET', `/v1/revocations?since=${cursor}&wait=2`, { key });
    if (status !== 200) throw new Error(`poll: ${status} ${JSON.stringify(body)}`);
    entries.push(...body.entries);
    cursor = body.cursor;
    return entries.length >= count || undefined;
  });
  return entries;
}
