import { findProblems } from './find-problems.ts';

/** `npm run check:rules`: exit code 1 and a line for each problem when rules and runbooks do not hold together. */
const problems = await findProblems(new URL('../../../', import.meta.url));
for (const problem of problems) process.stderr.write(`${problem}\n`);
if (problems.length > 0) process.exitCode = 1;
