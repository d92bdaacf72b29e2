/**
 * `npm run test:nightly [-- name…]`: what takes too long for the gate, one step after another. It names what it needs and
 * ends with 1 when that is missing, or when a step fails. `steps.ts` has the steps.
 */
import { textTable } from '../../src/text-table.ts';
import { runSteps } from './run-steps.ts';
import { stepsNamed } from './steps.ts';

const steps = stepsNamed(process.argv.slice(2));
const missing = new Set(steps.flatMap((step) => step.missing?.() ?? []));
if (missing.size > 0) throw new Error(`missing: ${[...missing].join('; ')}`);

const interrupted = new AbortController();
// Ctrl-C reaches the step, too; its end is awaited.
process.once('SIGINT', () => interrupted.abort());
const outcomes = await runSteps(steps, interrupted.signal);
process.stdout.write(`\n${textTable(outcomes.map((outcome) => ({ ...outcome })))}`);
if (interrupted.signal.aborted) process.exitCode = 130;
else if (outcomes.some(({ result }) => result === 'failed')) process.exitCode = 1;
