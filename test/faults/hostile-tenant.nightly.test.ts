import { test } from 'vitest';
import { playHostileTenants } from './hostile/play.ts';

test('a quiet tenant is served as before beside hostile ones that go on for half a minute each', () =>
  playHostileTenants(30));
