import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { DASHBOARDS } from '../../dashboards/generate.ts';
import { picture } from '../../dashboards/picture.ts';
import { connectPrometheus } from '../../dashboards/prometheus.ts';
import { loopback, type Ports } from '../addresses.ts';
import { pageOf, type Reading, STYLE } from './html.ts';
import { readAlerts, readTargets, readTraces } from './readings.ts';

const SECONDS = 15 * 60;
const POINTS = 60;
/** The dashboard that the page shows first. */
const FIRST = 'overview';
/** Several windows that ask at once share one drawing. */
const PICTURE_MS = 10_000;

interface Answer {
  readonly status?: number;
  readonly type: string;
  readonly body: string;
}

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
};

/**
 * Serves the page of the stack on loopback: links to every part, targets, alerts, the last requests, and the dashboards, drawn
 * from the data of the running Prometheus. A part that does not answer is named, and the page stands without it.
 * @param scrape seconds between two scrapes of that Prometheus
 * @returns the server, which listens
 */
export async function servePage(ports: Ports, scrape: number): Promise<Server> {
  const pictures = new Map<string, { readonly at: number; readonly svg: Promise<string> }>();
  const drawn = (name: string): Promise<string> => {
    const kept = pictures.get(name);
    if (kept && performance.now() - kept.at < PICTURE_MS) return kept.svg;
    const svg = draw(name, ports, scrape);
    pictures.set(name, { at: performance.now(), svg });
    // A failure is not kept.
    svg.catch(() => pictures.delete(name));
    return svg;
  };
  const answer = async (url: string): Promise<Answer> => {
    const { pathname: path, searchParams } = new URL(url, 'http://page');
    const shown = searchParams.get('dashboard') ?? FIRST;
    if (path === '/' && Object.hasOwn(DASHBOARDS, shown))
      return { type: 'text/html', body: await page(ports, shown) };
    if (path === '/page.css') return { type: 'text/css', body: STYLE };
    const name = /^\/dashboards\/([\w-]+)\.svg$/.exec(path)?.[1] ?? '';
    if (!Object.hasOwn(DASHBOARDS, name))
      return { status: 404, type: 'text/plain', body: 'nothing is here\n' };
    return { type: 'image/svg+xml', body: await drawn(name) };
  };
  const server = createServer((request, response) => {
    void answer(request.url ?? '/')
      .catch((error: Error): Answer => ({ status: 503, type: 'text/plain', body: `${error.message}\n` }))
      .then(({ status = 200, type, body }) =>
        response.writeHead(status, { ...HEADERS, 'content-type': `${type}; charset=utf-8` }).end(body),
      );
  }).listen(ports.page, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function draw(name: string, { prometheus }: Ports, scrape: number): Promise<string> {
  const make = DASHBOARDS[name];
  if (!make) throw new Error(`there is no dashboard ${name}`);
  const end = Math.floor(Date.now() / 1000);
  return picture(make(), {
    prometheus: connectPrometheus(`http://${loopback(prometheus)}`),
    span: { start: end - SECONDS, end, step: Math.round(SECONDS / POINTS) },
    scrape,
  });
}

async function page(ports: Ports, dashboard: string): Promise<string> {
  const [targets, alerts, traces] = await Promise.all([
    reading(readTargets(ports)),
    reading(readAlerts(ports)),
    reading(readTraces(ports)),
  ]);
  const dashboards = Object.keys(DASHBOARDS);
  return pageOf({ ports, at: new Date(), targets, alerts, traces, dashboards, dashboard });
}

const reading = <T>(asked: Promise<T>): Promise<Reading<T>> =>
  asked.then(
    (found) => ({ found }),
    (error: Error) => ({ silent: error.message }),
  );
