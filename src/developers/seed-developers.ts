import type { Deps } from '../deps.ts';
import { sha256 } from '../hash.ts';
import { prefixOf } from './api-keys.ts';
import { insertSeedDeveloper } from './store.ts';

/**
 * Creates the developers of SEED_API_KEY and SEED_SANDBOX_KEY when they are absent. Any number of replicas may do this
 * at once.
 */
export async function seedDevelopers({
  config,
  db,
  ids,
  clock,
}: Pick<Deps, 'config' | 'db' | 'ids' | 'clock'>) {
  const seeds = [
    { key: config.seedApiKey, mode: 'live', name: 'Seed developer' },
    { key: config.seedSandboxKey, mode: 'sandbox', name: 'Seed sandbox developer' },
  ] as const;
  for (const { key, mode, name } of seeds) {
    if (key === null) continue;
    const now = clock.now();
    await insertSeedDeveloper(db, {
      id: ids.next('dev', now),
      name,
      mode,
      keyId: ids.next('key', now),
      keyHash: sha256(key),
      keyPrefix: prefixOf(key),
      createdAt: new Date(now),
    });
  }
}
