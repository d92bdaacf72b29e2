import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { TestService } from '../../support/service.ts';
import { installPython } from '../python.ts';

/** Clients compare the issuer with the URL under which they fetch the keys. */
export const issuerOf = ({ url }: Pick<TestService, 'url'>) => `http://localhost:${new URL(url).port}`;

/** What `Grantex.enforce()` said about a call. */
export interface Enforced {
  readonly allowed: boolean;
  readonly code: string | null;
  readonly detail: string | null;
  readonly grantId: string;
  readonly legacyWarnings: number;
}

/** The published Python clients, in a process of their own (`clients.py`). Every method throws what Python threw. */
export interface PythonClients {
  enforce(settings: Record<string, unknown>, token: string, tool?: string): Promise<Enforced>;
  /** Authlib's resource server: the introspected token, or its refusal. */
  protected(token: string, scopes: readonly string[]): Promise<Record<string, unknown>>;
  /** Authlib's revocation. @returns the HTTP status */
  revoke(token: string): Promise<number>;
  /** PyJWT, with the keys that it keeps. */
  decode(token: string, developer: string): Promise<{ alg: string; grantId: string }>;
  /** Moves the clock by which they decide when to fetch keys anew. */
  later(seconds: number): Promise<void>;
  stop(): Promise<void>;
}

/** Starts them for one service and one API key. `issuer` is the URL under which the service's tokens name it. */
export async function startPythonClients(issuer: string, key: string): Promise<PythonClients> {
  const python = await installPython('foreign', new URL('requirements.txt', import.meta.url));
  const program = new URL('clients.py', import.meta.url).pathname;
  const child = spawn(python, [program], {
    env: { SERVICE_URL: issuer, API_KEY: key },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const ask = async <T>(op: string, args: Record<string, unknown>): Promise<T> => {
    child.stdin.write(`${JSON.stringify({ op, ...args })}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error('the Python clients ended');
    const answer = JSON.parse(value);
    if ('error' in answer) throw new Error(answer.error);
    return answer.result;
  };
  return {
    enforce: (settings, token, tool) =>
      ask('enforce', { settings, token, ...(tool !== undefined && { tool }) }),
    protected: (token, scopes) => ask('protected', { token, scopes }),
    revoke: (token) => ask('revoke', { token }),
    decode: (token, developer) => ask('decode', { token, developer }),
    later: (seconds) => ask('later', { seconds }),
    async stop() {
      await ask('close', {});
      const ended = once(child, 'exit');
      child.stdin.end();
      await ended;
    },
  };
}
