import type { Examples } from './examples.ts';

/** Values of a statement's parameters by name, beside those that the names say. */
type Special = Readonly<Record<string, unknown>>;

const DAY = 86_400_000;
const SEED = 'evt_01J00000000000000000000000';
/** A list has no page that begins later. */
const DEEPEST = { offset: 9_900 };

/** Further calls of a statement, by what is special about them. Its usual call is there without being named. */
export function casesOf(name: string, of: Examples): Readonly<Record<string, Special>> {
  const { id, developerId, agentId, grantIds } = of.removal;
  if (name.startsWith('removals.'))
    return { usual: { id, developerId, agentId, ids: grantIds, seed: SEED, revokedBy: 'developer' } };
  const usual = { usual: USUAL(of)[name] ?? {} };
  const removing = { developerId, ...(/_[13]/.test(name) && { agentId }) };
  const ago = (days: number) => new Date(of.now.getTime() - days * DAY);
  if (/^grants\.page_/.test(name))
    return { ...usual, deepest: DEEPEST, old: { until: ago(24) }, recent: { since: ago(1) }, removing };
  // No index has the time, or the action, of a developer's audit entries: lists by them, and the deepest pages of a
  // developer with a tenth of all entries, are not judged.
  if (/^grants\.count_[0-3]/.test(name))
    return { ...usual, recent: { since: ago(1) }, old: { until: ago(24) }, removing };
  return usual;
}

/** Where a name means something else than in other statements. */
const USUAL = ({
  ids,
  agentId,
  smallAgentId,
  developerId,
  now,
}: Examples): Readonly<Record<string, Special>> => ({
  'agents.insert': { limit: 1000, status: 'active' },
  'agents.remove': { id: 'none' },
  'grants.delegate': { grantId: 'new', jti: 'new' },
  'grants.lock_roots': { agentId: null },
  'grants.revoke_trees': { agentId: null, revokedBy: 'developer', seed: SEED },
  'grants.tally_removed': { agentId: smallAgentId },
  'grants.remove_of_agent': { agentId: smallAgentId },
  'consent.decide': { id: ids['authorization_requests'], decision: 'approved' },
  'principal_sessions.developer_name': { id: developerId },
  'webhooks.remove': { id: 'none' },
  'webhooks.remove_deliveries': { webhookId: 'none' },
  'tokens.exchange_code': { jti: undefined, grantId: undefined },
  'tokens.refresh': { jti: undefined },
  'developers.insert': { mode: 'live', keyHash: Buffer.from('new') },
  'developers.insert_seed': { mode: 'live', keyHash: Buffer.from('new') },
  'api_keys.insert': { hash: Buffer.from('new'), seconds: 60 },
  'api_keys.rotate': { oldHash: Buffer.from('old'), overlap: 0 },
  'api_keys.remove': { id: 'none' },
  'api_keys.used': { uses: '[]', seconds: 60 },
  'audit.append': { status: 'success' },
  'policies.insert': { effect: 'deny' },
  'agents.update': { status: null },
  'anomalies.open': {
    found: JSON.stringify([
      {
        id: 'new',
        developerId,
        type: 'new_principal',
        severity: 'low',
        agentId,
        principalId: 'new',
        description: '',
        metadata: {},
        at: now,
      },
    ]),
  },
  'anomalies.tally_failed_exchanges': { refused: JSON.stringify([{ agentId, total: 1, at: now }]) },
  'anomalies.claim_scan': { seconds: 60 },
  'reconciliation.within': { periods: JSON.stringify([{ from: now, to: now }]) },
  'reconciliation.leave_counts': { counts: '[]' },
  'grants.after': { at: '-infinity', until: now },
  'compliance.count_grants': { at: '-infinity', until: now },
  'compliance.count_entries': { at: '-infinity', until: now },
  'operators.insert_change': { change: 'suspended' },
  'webhooks.settle': { ends: '[]' },
  'webhooks.insert': { limit: 50, events: ['grant.created'] },
});
