import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import type { Profiler } from 'node:inspector';
import { join } from 'node:path';
import { type Row, round } from './table.ts';

const TOP = 10;
const SAMPLE_EVERY_US = 200;
/** What is no work: the thread waits, or the profiler itself works. */
const NO_WORK = new Set(['(idle)', '(root)', '(program)']);

/**
 * Profiles the main thread of a process while `work` runs, and writes the profile to `directory` as
 * `<name>.cpuprofile`, which Chromium's developer tools open.
 * @param inspector the URL of the process's inspector
 * @returns the ten functions with the most self time, for a table
 */
export async function profile(
  inspector: string,
  { name, directory }: { name: string; directory: string },
  work: () => Promise<unknown>,
): Promise<Row[]> {
  const session = await openSession(inspector);
  try {
    await session.call('Profiler.enable');
    await session.call('Profiler.setSamplingInterval', { interval: SAMPLE_EVERY_US });
    await session.call('Profiler.start');
    await work();
    const { profile: taken } = (await session.call('Profiler.stop')) as Profiler.StopReturnType;
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, `${name.replaceAll(/\W+/g, '-')}.cpuprofile`), JSON.stringify(taken));
    return topFunctions(taken).map((row) => ({ scenario: name, ...row }));
  } finally {
    session.close();
  }
}

/**
 * The ten functions with the most self time, each summed over all of its callers, with its share of the time in which the
 * thread worked.
 */
export function topFunctions({
  nodes,
  samples = [],
  timeDeltas = [],
}: Pick<Profiler.Profile, 'nodes' | 'samples' | 'timeDeltas'>): Row[] {
  const places = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => [
      id,
      {
        function: functionName || '(anonymous)',
        where: url === '' ? '' : `${shortened(url)}:${lineNumber + 1}`,
      },
    ]),
  );
  const times = new Map<string, { function: string; where: string; time: number }>();
  let worked = 0;
  for (const [at, id] of samples.entries()) {
    const place = places.get(id);
    if (!place || NO_WORK.has(place.function)) continue;
    const key = `${place.function} ${place.where}`;
    const known = times.get(key) ?? { ...place, time: 0 };
    const time = timeDeltas[at] ?? 0;
    times.set(key, { ...known, time: known.time + time });
    worked += time;
  }
  return [...times.values()]
    .sort((a, b) => b.time - a.time)
    .slice(0, TOP)
    .map(({ time, ...place }) => ({ 'self %': round((time / worked) * 100), ...place }));
}

/** The part of a URL that tells the file: the package and its path, or the path in the repository. */
function shortened(url: string): string {
  const inPackage = url.split('/node_modules/').at(-1) ?? url;
  if (inPackage !== url) return inPackage;
  return url.replace(/^.*\/(?=(?:src|instrumentation)\/)/, '');
}

interface Session {
  call(method: string, params?: object): Promise<unknown>;
  close(): void;
}

interface Answer {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/** A session of the inspector's protocol. One call is under way at a time. */
async function openSession(url: string): Promise<Session> {
  const socket = new WebSocket(url);
  await once(socket, 'open');
  let last = 0;
  return {
    call(method, params = {}) {
      last += 1;
      const id = last;
      const answered = Promise.withResolvers<unknown>();
      const listen = ({ data }: MessageEvent) => {
        const answer = JSON.parse(String(data)) as Answer;
        if (answer.id !== id) return;
        socket.removeEventListener('message', listen);
        if (answer.error) answered.reject(new Error(`${method}: ${answer.error.message}`));
        else answered.resolve(answer.result);
      };
      socket.addEventListener('message', listen);
      socket.send(JSON.stringify({ id, method, params }));
      return answered.promise;
    },
    close: () => socket.close(),
  };
}
