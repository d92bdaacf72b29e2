/** `npm run keys -- list|rotate`: the signing keys in the database. */
import { systemClock } from '../clock.ts';
import { ConfigError, loadConfig } from '../config.ts';
import { hasCluster } from '../data-dir.ts';
import { rotateKeys } from '../keys/create-key.ts';
import { createSealer } from '../keys/sealing.ts';
import { loadSecretKey } from '../keys/secret-key.ts';
import { publishedKeys } from '../keys/store.ts';
import { runCommand } from './run-command.ts';
import { withDatabase } from './with-database.ts';

const USAGE = 'usage: npm run keys -- list|rotate';

await runCommand(async (print) => {
  const [command] = process.argv.slice(2);
  if (command !== 'list' && command !== 'rotate') throw new Error(USAGE);
  const config = loadConfig(process.env, { sealing: command === 'rotate' });
  if (config.signingKeys)
    throw new Error('SIGNING_KEYS_FILE is set: the keys are those of that file; edit it and restart');
  if (config.databaseUrl === null && !hasCluster(config.dataDir))
    throw new ConfigError([
      `DATA_DIR: there is no database in ${config.dataDir} yet: the first start of the service makes one`,
    ]);
  const sealer = command === 'rotate' && createSealer(await loadSecretKey(config));
  await withDatabase(config, async (db) => {
    const now = systemClock.now();
    if (sealer) {
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
  });
});
