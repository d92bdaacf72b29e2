import { test } from 'vitest';
import { playHostileTenants } from './hostile/play.ts';

test('a quiet tenant is served as before beside hostile ones, memory stays bounded, and an alert tells of them', () =>
  playHostileTenants(3));
