/** `npm run keys -- list|rotate`: the signing keys in the database. */
import { systemClock } from '../clock.ts';
import { loadConfig } from '../config.ts';
import { openDatabase } from '../db/client.ts';
import { migrate } from '../db/migrate.ts';
import { openDatabaseBeside } from '../db/open.ts';
import { rotateKeys } from '../keys/create-key.ts';
import { createSealer } from '../keys/sealing.ts';
import { loadSecretKey } from '../keys/secret-key.ts';
import { publishedKeys } from '../keys/store.ts';
import { runCommand } from './run-command.ts';
import { withoutTelemetry } from './without-telemetry.ts';

const USAGE = 'usage: npm run keys -- list|rotate';

await runCommand(async (print) => {
  const [command] = process.argv.slice(2);
  if (command !== 'list' && command !== 'rotate') throw new Error(USAGE);
  const config = loadConfig(process.env);
  if (config.signingKeys)
    throw new Error('SIGNING_KEYS_FILE is set: the keys are those of that file; edit it and restart');
  const source = await openDatabaseBeside(config);
  await migrate(source.url);
  const db = openDatabase({
    url: source.url,
    poolMax: 1,
    telemetry: withoutTelemetry(),
    onConnectionError: () => undefined,
  });
  try {
    const now = systemClock.now();
    if (command === 'rotate') {
      const sealer = createSealer(await loadSecretKey(config));
      const key = await rotateKeys({ db, sealer, now });
      print(`${key.kid} is published from now on and signs from ${key.signsFrom.toISOString()}`);
      return;
    }
    const keys = await publishedKeys(db, new Date(now));
    const signing = keys.findLast(({ signsFrom }) => signsFrom.getTime() <= now);
    for (const key of keys) {
      const state = key === signing ? 'signs' : key.signsFrom.getTime() > now ? 'waits' : 'retired';
      print(`${key.kid}  ${state.padEnd(7)}  signs from ${key.signsFrom.toISOString()}`);
    }
    if (keys.length === 0) print('no keys yet: the first start of the service creates one');
  } finally {
    await db.close(1000);
    await source.close();
  }
});
