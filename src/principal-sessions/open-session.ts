import type { Developer } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { done, type Outcome } from '../outcome.ts';
import type { SessionTokens } from './session-token.ts';

export interface Session {
  readonly sessionToken: string;
  readonly dashboardUrl: string;
  readonly expiresAt: Date;
}

/** Opens a session for one of the developer's principals, and makes the link to the permissions page. */
export async function openSession(
  {
    sessionTokens,
    baseUrl,
    telemetry,
  }: Pick<Deps, 'baseUrl' | 'telemetry'> & { readonly sessionTokens: SessionTokens },
  { id: developerId }: Pick<Developer, 'id'>,
  { principalId, seconds }: { principalId: string; seconds: number },
): Promise<Outcome<Session>> {
  const { token, expiresAt } = await sessionTokens.issue({ developerId, principalId }, seconds);
  telemetry.events.adminChanged({
    object: 'session',
    change: 'created',
    principalId,
    developerId,
    expiresAt,
  });
  return done({
    sessionToken: token,
    dashboardUrl: `${baseUrl()}/permissions#session=${token}`,
    expiresAt,
  });
}
