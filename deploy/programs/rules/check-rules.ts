import { findProblems } from './find-problems.ts';

/** `npm run check:rules`: prints a line for each problem of rules and runbooks. Exit code 1 when there is one. */
const problems = await findProblems(new URL('../../../', import.meta.url));
for (const problem of problems) process.stderr.write(`${problem}\n`);
if (problems.length > 0) process.exitCode = 1;
