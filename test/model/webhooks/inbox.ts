import { type Received, type Receiver, startReceiver } from '../../webhooks/receiver.ts';
import type { Manner } from './model.ts';

/** What came in at the receivers of all runs. */
export interface Inbox {
  /** Where a receiver of this manner is, under a name of its own. */
  address(name: string, manner: Manner): { url: string; path: string };
  /** What came to a path, in its order. */
  at(path: string): readonly Received[];
  /** Answers so far, by their class. */
  readonly answered: Readonly<Record<'2xx' | '4xx' | '5xx', number>>;
  close(): Promise<void>;
}

const STATUS: Readonly<Record<Manner, (times: number) => number>> = {
  well: () => 204,
  gone: () => 410,
  slowly: (times) => (times === 1 ? 503 : 204),
};

/** One server is every receiver: its paths say who is meant and how that one answers. */
export async function startInbox(): Promise<Inbox> {
  const byPath = new Map<string, Received[]>();
  const answered = { '2xx': 0, '4xx': 0, '5xx': 0 };
  const server: Receiver = await startReceiver((response, _index, one) => {
    const here = byPath.get(one.path) ?? [];
    byPath.set(one.path, here);
    here.push(one);
    const manner = one.path.split('/').at(-1) as Manner;
    const status = STATUS[manner](here.filter(({ body }) => body.id === one.body.id).length);
    answered[`${Math.floor(status / 100)}xx` as keyof typeof answered]++;
    response.writeHead(status).end();
  });
  return {
    address(name, manner) {
      const url = new URL(`/${name}/${manner}`, server.url);
      return { url: url.href, path: url.pathname };
    },
    at: (path) => byPath.get(path) ?? [],
    answered,
    close: server.close,
  };
}
