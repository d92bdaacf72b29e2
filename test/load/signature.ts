import { generateKeyPairSync, sign } from 'node:crypto';

const SIGNATURES = 300;

/**
 * The CPU time of one RS256 signature in microseconds, with a key as long as the service's. An exchange or a refresh
 * cannot cost less. This time differs most between machines, because it depends on the multiplication instructions of
 * the processor.
 */
export function signatureCpu(): number {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const signed = Buffer.alloc(400, 'a');
  const before = process.cpuUsage();
  for (let i = 0; i < SIGNATURES; i++) sign('sha256', signed, privateKey);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / SIGNATURES;
}
