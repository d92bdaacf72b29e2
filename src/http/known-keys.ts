import { LRUCache } from 'lru-cache';
import type { Bearer } from './bearer.ts';

/** The developers of the API keys that this process has looked up. It says whom a request counts for, and admits nobody. */
export interface KnownKeys {
  developerOf(key: Bearer): string | undefined;
  add(key: Bearer, developerId: string): void;
}

/** Remembers at most `max` keys, and forgets the one that was used least recently. Only hashes are kept. */
export function createKnownKeys(max: number): KnownKeys {
  const developers = new LRUCache<string, string>({ max });
  const nameOf = ({ hash }: Bearer) => hash.toString('base64url');
  return {
    developerOf: (key) => developers.get(nameOf(key)),
    add: (key, developerId) => void developers.set(nameOf(key), developerId),
  };
}
