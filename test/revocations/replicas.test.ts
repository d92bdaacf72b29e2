import { test } from 'vitest';
import { revokeInBursts } from './burst.ts';
import { costOfIdleStreams } from './idle-streams.ts';

test('two replicas, 64 writers, kills: verifiers on both transports have exactly what the database has', () =>
  revokeInBursts(1000));

test('2,000 idle streams cost less than their part of 200 MB for 5,000', () => costOfIdleStreams(2000, 500));
