/** `npm run keys -- list|rotate|revoke <kid>|reseal`: the signing keys in the database, and what is sealed there. */
import { systemClock } from '../clock.ts';
import { type Config, ConfigError, loadConfig } from '../config.ts';
import { hasCluster } from '../data-dir.ts';
import type { Database } from '../db/client.ts';
import { reseal } from '../secrets/reseal.ts';
import { createSealer } from '../secrets/sealing.ts';
import { loadSecretKey } from '../secrets/secret-key.ts';
import { type KeyMaterial, rotateKeys } from '../signing-keys/create-key.ts';
import { revokeKey } from '../signing-keys/revoke-key.ts';
import { listRevokedKeys } from '../signing-keys/revoked-store.ts';
import { sealedPrivateKeys } from '../signing-keys/sealed-store.ts';
import { publishedKeys } from '../signing-keys/store.ts';
import { sealedSecrets } from '../webhooks/sealed-store.ts';
import { purposeOf } from '../webhooks/secret.ts';
import { readWords } from './read-words.ts';
import { runCommand, usageError } from './run-command.ts';
import { withDatabase } from './with-database.ts';

const USAGE = `usage: npm run keys -- list|rotate|revoke <kid>|reseal

The signing keys in the database (DATABASE_URL, or the embedded one); also beside a running service.
Exit codes: 0 done; 1 it failed; 2 bad usage; 78 bad configuration.

  list           every key that is published, and what it does, and every key that was revoked; reads only
  rotate         makes a key of SIGNING_ALGORITHM, which is published at once and signs a little later; with DATABASE_URL
                 it needs SECRET_KEY
  revoke <kid>   for a key that has leaked: within ten seconds it signs and verifies nothing on any replica, for ever, and
                 another one signs in its place; needs SECRET_KEY like rotate. With SIGNING_KEYS_FILE it revokes a key of
                 that file
  reseal         seals anew with SECRET_KEY all that is sealed with SECRET_KEY_OLD, and says how much; run it again whenever it
                 was interrupted
  --help
`;
const WORDS: Readonly<Record<string, number>> = { list: 1, rotate: 1, revoke: 2, reseal: 1 };

type Print = (line: string) => void;

await runCommand(async (print) => {
  const words = readWords(idAsWord(process.argv.slice(2)));
  if (!words) return print(USAGE.trimEnd());
  const [command = '', kid = ''] = words;
  if (WORDS[command] !== words.length)
    throw usageError('The command must be list, rotate, revoke <kid> or reseal');
  const config = loadConfig(process.env, { sealing: command !== 'list' });
  if (config.signingKeys && (command === 'list' || command === 'rotate'))
    throw new Error('SIGNING_KEYS_FILE is set: the keys are those of that file; edit it and restart');
  if (config.databaseUrl === null && !hasCluster(config.dataDir))
    throw new ConfigError([
      `DATA_DIR: there is no database in ${config.dataDir} yet: the first start of the service makes one`,
    ]);
  const old = config.secretKeyOld;
  if (command === 'reseal' && old === null)
    throw new ConfigError(['SECRET_KEY_OLD must be set: the key that is being replaced']);
  const secretKey = command === 'list' ? null : await loadSecretKey(config);
  const sealer = secretKey && createSealer(secretKey, old);
  await withDatabase(config, async (db) => {
    const now = systemClock.now();
    if (!sealer) return list(db, now, print);
    if (command === 'reseal' && secretKey && old)
      return resealAll(db, { to: createSealer(secretKey), from: createSealer(old) }, print);
    const material = { db, sealer, now, algorithm: config.signingAlgorithm };
    if (command === 'revoke') return revoke(material, { kid, config }, print);
    const key = await rotateKeys(material);
    print(`${key.kid} is published from now on and signs from ${key.signsFrom.toISOString()}`);
  });
});

/** The id of a key may begin with a dash. Behind `revoke` it is a word all the same. */
function idAsWord(args: readonly string[]): readonly string[] {
  const [command, id = ''] = args;
  return command === 'revoke' && args.length === 2 && id !== '--help' ? [command, '--', id] : args;
}

async function list(db: Database, now: number, print: Print): Promise<void> {
  const keys = await publishedKeys(db, new Date(now));
  const signing = keys.findLast(({ signsFrom }) => signsFrom.getTime() <= now);
  for (const key of keys) {
    const state = key === signing ? 'signs' : key.signsFrom.getTime() > now ? 'waits' : 'retired';
    print(`${key.kid}  ${state.padEnd(7)}  signs from ${key.signsFrom.toISOString()}  ${key.publicJwk.alg}`);
  }
  for (const { kid, revokedAt } of await listRevokedKeys(db))
    print(`${kid}  revoked  since ${revokedAt.toISOString()}`);
  if (keys.length === 0) print('no keys yet: the first start of the service creates one');
}

/** The change is a line of the log, like those of the replicas, and then what it means for a person. */
async function revoke(
  material: KeyMaterial,
  { kid, config }: { readonly kid: string; readonly config: Config },
  print: Print,
): Promise<void> {
  const fileKids = (config.signingKeys ?? []).map((key) => String(key['kid']));
  const revoked = await revokeKey(material, { kid, fileKids });
  if (!revoked) throw new Error(`no signing key has the id ${kid} (npm run keys -- list)`);
  if (!revoked.fresh) return print(`${kid} was revoked before`);
  const timestamp = new Date(material.now).toISOString();
  print(JSON.stringify({ level: 'warn', timestamp, msg: 'signing_key.revoked', kid }));
  if (revoked.successor !== null) print(`${revoked.successor} signs from now on`);
}

async function resealAll(db: Database, keys: Parameters<typeof reseal>[1], print: Print): Promise<void> {
  const lost: string[] = [];
  for (const [what, batches] of [
    ['signing keys', sealedPrivateKeys(db)],
    ['webhook secrets', sealedSecrets(db, purposeOf)],
  ] as const) {
    const done = await reseal(batches, keys);
    print(`${what}: ${done.resealed} sealed anew, ${done.current} were already`);
    lost.push(...done.lost);
  }
  if (lost.length > 0)
    throw new Error(
      `neither SECRET_KEY nor SECRET_KEY_OLD opens: ${lost.slice(0, 20).join(', ')} (${lost.length} in all)`,
    );
}
