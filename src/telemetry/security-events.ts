import type { ADMIN_CHANGES, ConnectionEnd, HttpRefusal } from '../label-values.ts';
import { requestScope } from '../request-scope.ts';
import { type AuthenticationFailure, createFailureLines } from './failure-lines.ts';
import type { Instruments } from './instruments.ts';
import type { Logger } from './logger.ts';

type Changes = typeof ADMIN_CHANGES;
type Of<O extends keyof Changes, Fields> = {
  readonly [K in Changes[O][number]]: { readonly object: O; readonly change: K } & Fields;
}[Changes[O][number]];

/** One change of what developers and operators set up. */
export type AdminChange =
  | Of<'developer', { readonly developerId: string }>
  | Of<'key', { readonly developerId: string; readonly keyId?: string }>
  | Of<
      'agent',
      { readonly agentId: string; readonly developerId: string; readonly changes: readonly string[] }
    >
  | Of<'policy' | 'webhook', { readonly id: string; readonly developerId: string }>
  | Of<'session', { readonly principalId: string; readonly developerId: string; readonly expiresAt: Date }>
  | Of<'signing_key', { readonly kid: string }>;

/** The names of lines that are not `<object>.<change>`. */
const LINES: Readonly<Record<string, string>> = {
  'developer.created': 'developer.signed_up',
  'key.created': 'developer.key_created',
  'key.deleted': 'developer.key_deleted',
  'key.rotated': 'developer.key_rotated',
  'agent.suspended': 'agent.updated',
  'agent.resumed': 'agent.updated',
  'webhook.rotated': 'webhook.secret_rotated',
};

export interface SecurityEvents {
  /** A request was refused with 401. A flood of them is summarised in the log, and counted one by one. */
  authenticationFailed(event: AuthenticationFailure & { readonly network: string }): void;
  /** A known caller was refused with 403 because of what it may not do. */
  forbidden(event: { readonly route: string; readonly reason: string }): void;
  /** Something was set up, changed or removed, and that is committed. */
  adminChanged(event: AdminChange): void;
  /** Bytes were refused before they became a request. A flood of them is summarised in the log, and counted one by one. */
  httpRefused(event: { readonly reason: HttpRefusal; readonly ip: string; readonly network: string }): void;
  /** The service closed a connection because of its client. Only counted: any client could write lines with it. */
  connectionClosed(event: { readonly reason: ConnectionEnd }): void;
  /** Writes the lines that are held back. Call it before the log ends. */
  flush(): void;
}

/** The address of the request whose work this is, for the lines of what a person or a key did. */
export const actorIp = (): { readonly ip?: string } => {
  const ip = requestScope()?.ip();
  return ip === undefined ? {} : { ip };
};

/** Events of the security log (OWASP ASVS 16.3). Each part is guarded by itself. */
export function createSecurityEvents(instruments: Instruments, logger: Logger): SecurityEvents {
  const { guard } = instruments;
  const lines = createFailureLines<AuthenticationFailure>((line) =>
    guard.run(() => logger.warn(line, 'auth.failed')),
  );
  const refusals = createFailureLines<{ reason: HttpRefusal; ip: string }>((line) =>
    guard.run(() => logger.warn(line, 'http.refused')),
  );
  return {
    httpRefused({ network, reason, ip }) {
      guard.run(() => instruments.httpRefused.add(1, { reason }));
      guard.run(() => refusals.tell(network, { reason, ip }));
    },
    authenticationFailed({ network, ...failure }) {
      const { credential, reason } = failure;
      guard.run(() => instruments.authenticationFailures.add(1, { credential, reason }));
      guard.run(() => lines.tell(network, failure));
    },
    forbidden({ route, reason }) {
      const developerId = requestScope()?.callerId ?? undefined;
      guard.run(() => logger.warn({ developerId, route, reason }, 'auth.forbidden'));
    },
    adminChanged({ object, change, ...fields }) {
      guard.run(() => instruments.adminChanges.add(1, { object, change }));
      const level = object === 'signing_key' ? 'warn' : 'info';
      const ip = object === 'developer' || object === 'key' ? actorIp() : {};
      const name = `${object}.${change}`;
      guard.run(() => logger[level]({ ...fields, ...ip }, LINES[name] ?? name));
    },
    connectionClosed: ({ reason }) => guard.run(() => instruments.connectionsClosed.add(1, { reason })),
    flush() {
      guard.run(lines.flush);
      guard.run(refusals.flush);
    },
  };
}
