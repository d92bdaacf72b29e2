/** `npm run keys -- list|rotate`: the signing keys in the database. */
import { systemClock } from '../clock.ts';
import { ConfigError, loadConfig } from '../config.ts';
import { hasCluster } from '../data-dir.ts';
import { createSealer } from '../secrets/sealing.ts';
import { loadSecretKey } from '../secrets/secret-key.ts';
import { rotateKeys } from '../signing-keys/create-key.ts';
import { publishedKeys } from '../signing-keys/store.ts';
import { readWords } from './read-words.ts';
import { runCommand, usageError } from './run-command.ts';
import { withDatabase } from './with-database.ts';

const USAGE = `usage: npm run keys -- list|rotate

The signing keys in the database (DATABASE_URL, or the embedded one); also beside a running service.
Exit codes: 0 done; 1 it failed; 2 bad usage; 78 bad configuration.

  list     every key that is published, and what it does; reads only
  rotate   makes a key of SIGNING_ALGORITHM, which is published at once and signs a little later; with DATABASE_URL it
           needs SECRET_KEY
  --help
`;

await runCommand(async (print) => {
  const words = readWords(process.argv.slice(2));
  if (!words) return print(USAGE.trimEnd());
  const [command, ...more] = words;
  if ((command !== 'list' && command !== 'rotate') || more.length > 0)
    throw usageError('The command must be list or rotate');
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
      const key = await rotateKeys({ db, sealer, now, algorithm: config.signingAlgorithm });
      print(`${key.kid} is published from now on and signs from ${key.signsFrom.toISOString()}`);
      return;
    }
    const keys = await publishedKeys(db, new Date(now));
    const signing = keys.findLast(({ signsFrom }) => signsFrom.getTime() <= now);
    for (const key of keys) {
      const state = key === signing ? 'signs' : key.signsFrom.getTime() > now ? 'waits' : 'retired';
      print(
        `${key.kid}  ${state.padEnd(7)}  signs from ${key.signsFrom.toISOString()}  ${key.publicJwk.alg}`,
      );
    }
    if (keys.length === 0) print('no keys yet: the first start of the service creates one');
  });
});
