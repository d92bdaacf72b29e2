/**
 * The service in a few files of JavaScript. A start from the sources loads some 1,500 modules and strips the types of some 340:
 * it takes more than twice the CPU time, and 40 MiB more memory.
 */
import { writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type RolldownPluginOption, rolldown } from 'rolldown';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** Of the log's worker thread, which is started from a file. */
const WORKER = "'./log-transport.ts'";

/**
 * Writes `register.js` and `main.js`, which start the service as `instrumentation/register.ts` and `src/main.ts` do, and what they
 * load. Packages with worker threads stay outside. Migrations and pages are read from where the sources are, relative to `dir`.
 */
export async function bundleService(dir: string): Promise<void> {
  const build = await rolldown({
    cwd: ROOT,
    input: {
      main: 'src/main.ts',
      register: 'instrumentation/register.ts',
      'log-transport': 'instrumentation/log-transport.ts',
    },
    platform: 'node',
    external: [/^pino/, /^thread-stream/],
    plugins: [pathsOfSources(dir)],
  });
  await build.write({ dir, format: 'esm', minify: false });
  await build.close();
  // Without it Node reads every file twice, to find out what it is.
  await writeFile(join(dir, 'package.json'), '{"type":"module"}');
}

/** What a module reads is beside its source, and a worker of the service is beside the file that starts it. */
const pathsOfSources = (dir: string): RolldownPluginOption => ({
  name: 'paths of the sources',
  transform(code, id) {
    if (!id.startsWith(ROOT) || id.includes('node_modules')) return null;
    const source = JSON.stringify(`${relative(dir, dirname(id))}/`);
    return code
      .replaceAll(`new URL(${WORKER}, import.meta.url)`, "new URL('./log-transport.js', import.meta['url'])")
      .replaceAll('import.meta.url', `new URL(${source}, import.meta['url']).href`);
  },
});
