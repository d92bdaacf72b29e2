import { afterAll } from 'vitest';
import { endServices } from './child.ts';

// The hooks of the test file come before it.
afterAll(endServices);
