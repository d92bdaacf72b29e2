import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { faultsOfLicences, faultsOfLock } from './judge.ts';

const ROOT = new URL('../../../', import.meta.url);

const { packages } = JSON.parse(readFileSync(new URL('package-lock.json', ROOT), 'utf8'));
const sbom = execFileSync('npm', ['run', '--silent', 'sbom'], {
  cwd: fileURLToPath(ROOT),
  encoding: 'utf8',
  maxBuffer: 64 * 1024 * 1024,
});
const faults = [...faultsOfLock(packages), ...faultsOfLicences(JSON.parse(sbom).components)];
for (const fault of faults) process.stderr.write(`${fault}\n`);
process.exitCode = faults.length > 0 ? 1 : 0;
