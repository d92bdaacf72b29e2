import { test } from 'vitest';
import { revokeInBursts } from './burst.ts';
import { costOfIdleStreams } from './idle-streams.ts';

test('10,000 revocations in bursts, two replicas, kills', () => revokeInBursts(10_000));

test('5,000 idle streams cost less than 200 MB', () => costOfIdleStreams(5000, 500));
