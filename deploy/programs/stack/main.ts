import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { readOptions } from '../command-line.ts';
import { freePorts, loopback, type Ports, takenPorts, USUAL_PORTS } from './addresses.ts';
import { PROGRAMS } from './definitions.ts';
import { keepRunning } from './keep-running.ts';
import { lockDirectory } from './lock-directory.ts';
import { servePage } from './page/server.ts';
import { Stack } from './stack.ts';

const USAGE = `usage: npm run stack -- [options]

Starts the service and everything around it but Grafana, as local processes on loopback, from the committed configuration.
A page shows what they hold, and the dashboards. A part that ends by itself is started again.

  --free-ports        ports on which nobody listens, instead of the usual ones
  --directory <path>  where data and logs go (.data/stack)
  --help

Ctrl-C ends them all; a second one ends them at once. Exit codes: 0 after Ctrl-C, 2 bad usage, 1 when a program did not start
or ended by itself too often, and after a second Ctrl-C. None of them runs any longer then.
`;

const values = readOptions(USAGE, {
  'free-ports': { type: 'boolean', default: false },
  directory: { type: 'string', default: '.data/stack' },
});

const PARENT_CHECK_MS = 500;
/** Of deploy/prometheus/prometheus.yml. */
const SCRAPE_SECONDS = 15;

const say = (what: unknown) => process.stderr.write(`${what instanceof Error ? what.message : what}\n`);
const fail = (what: unknown): never => {
  say(what);
  process.exit(1);
};

const addresses = (ports: Ports): string =>
  (
    [
      ['everything on one page', ports.page, ''],
      ['service', ports.service, ''],
      ['traces (Jaeger)', ports.jaeger, ''],
      ['metrics (Prometheus)', ports.prometheus, ''],
      ['alerts (Alertmanager)', ports.alertmanager, ''],
      ['alerts that were sent', ports.alertSink, '/messages'],
      ['OTLP for other programs', ports.collectorHttp, ''],
    ] as const
  )
    .map(([what, port, path]) => `  ${what.padEnd(24)} http://${loopback(port)}${path}`)
    .join('\n');

const directory = resolve(values.directory);
// The lock comes before any change in the directory.
await lockDirectory(directory).catch(fail);
const ports = values['free-ports'] ? await freePorts() : USUAL_PORTS;
// Otherwise the readiness of another program would look like that of ours.
const taken = await takenPorts(ports);
if (taken.length > 0)
  fail(
    `ports are taken: ${taken.join(', ')}. End what listens there (npm start, another stack), or add -- --free-ports`,
  );
// Logs of the last run would only confuse.
rmSync(resolve(directory, 'log'), { recursive: true, force: true });
const stack = new Stack({ ports, directory });
process.on('exit', () => stack.killAll());

const underNpm = process.env['npm_lifecycle_event'] !== undefined;
/**
 * Ctrl-C reaches npm and this process, and npm passes it on, so it arrives twice. No person presses it twice this fast.
 */
const NPM_ECHO_MS = underNpm ? 200 : 0;
let interrupted: number | undefined;
const end = () => {
  if (interrupted !== undefined) {
    if (performance.now() - interrupted < NPM_ECHO_MS) return;
    process.exit(1);
  }
  interrupted = performance.now();
  say('ending');
  void stack.stop().then(() => process.exit(0));
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end);
if (underNpm) {
  const npm = process.ppid;
  // After npm was killed, no Ctrl-C can arrive any more.
  const endWithNpm = () => process.ppid !== npm && interrupted === undefined && end();
  setInterval(endWithNpm, PARENT_CHECK_MS).unref();
}

try {
  const tooManyDeaths = keepRunning(stack, say).catch((error: Error) => {
    throw new Error(`${error.message}: see ${directory}/log`);
  });
  await Promise.race([stack.start(...PROGRAMS), tooManyDeaths]);
  await servePage(ports, SCRAPE_SECONDS);
  say(`\n${addresses(ports)}\n\nData and logs: ${directory}. Ctrl-C ends it all.`);
  await tooManyDeaths;
} catch (error) {
  // After Ctrl-C, programs fail to become ready, and the exit is already under way.
  if (interrupted === undefined) {
    say(error);
    await stack.stop();
    process.exit(1);
  }
}
