import { generateKeyPairSync, sign } from 'node:crypto';

const SIGNATURES = 300;

/**
 * CPU time of one RS256 signature with a key as long as the service's: microseconds. An exchange or a refresh cannot cost
 * less, and machines differ in it by more than in anything else, for it hangs on what multiplication the processor offers.
 */
export function signatureCpu(): number {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const signed = Buffer.alloc(400, 'a');
  const before = process.cpuUsage();
  for (let i = 0; i < SIGNATURES; i++) sign('sha256', signed, privateKey);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / SIGNATURES;
}
