import type { AgentRow, DeveloperRow, GrantRow } from '../operators/store.ts';

const day = (time: Date): string => time.toISOString();

export const developerLine = ({ id, name, email, mode, createdAt, suspendedAt }: DeveloperRow): string =>
  [
    id,
    suspendedAt ? `suspended ${day(suspendedAt)}` : 'active',
    mode,
    `since ${day(createdAt)}`,
    JSON.stringify(name),
    ...(email === null ? [] : [email]),
  ].join('  ');

export const agentLine = ({ id, developerId, name, status, createdAt }: AgentRow): string =>
  [id, status, `of ${developerId}`, `since ${day(createdAt)}`, JSON.stringify(name)].join('  ');

export const grantLine = (grant: GrantRow, now: Date): string => {
  const { id, status, developerId, agentId, principalId, scopes, issuedAt, expiresAt } = grant;
  const state = status === 'active' && expiresAt <= now ? 'expired' : status;
  const subject = `${JSON.stringify(principalId)} to ${agentId} of ${developerId}`;
  return [id, state, subject, `from ${day(issuedAt)} to ${day(expiresAt)}`, scopes.join(' ')].join('  ');
};
