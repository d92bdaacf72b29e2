import type { Ids } from '../ids.ts';

/** A new API key: 256 random bits behind a prefix that shows its mode. */
export const newApiKey = (ids: Ids, mode: 'live' | 'sandbox'): string =>
  `${mode === 'live' ? 'gx_live_' : 'gx_test_'}${ids.secret(32)}`;
