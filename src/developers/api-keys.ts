import type { Ids } from '../ids.ts';

/** A new API key: 256 random bits behind a prefix that shows its mode. */
export const newApiKey = (ids: Ids, mode: 'live' | 'sandbox'): string =>
  `${mode === 'live' ? 'gx_live_' : 'gx_test_'}${ids.secret(32)}`;

const RANDOM_SHOWN = 4;

/**
 * The first characters of a key, which its list entry shows. Of a generated key they are 24 of its 256 random bits. Of any other
 * text, which may be short, they are four characters.
 */
export const prefixOf = (apiKey: string): string =>
  apiKey.slice(0, RANDOM_SHOWN + (/^gx_(live|test)_/.exec(apiKey)?.[0].length ?? 0));
