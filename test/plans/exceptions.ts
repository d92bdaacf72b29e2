/** Statements that are not judged, by the beginning of their names, each with its reason. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  'reconciliation.': 'the command counts every row, which is its purpose',
  'grants.count_active': 'a gauge that counts',
  'anomalies.count': 'counts that grow with the anomalies of a developer, or of all',
  'grants.page_0_expired':
    'reads what is newer and still alive before the first that has expired, on an index',
  'grants.tally_removed': 'its work is the size of a small agent',
  'operators.agents': 'an operator searches in the names of all',
  'operators.developers': 'an operator searches in the names of all',
  'grants.of_principal': 'sorts all grants of one principal',
  'grants.revoke_trees': 'its work is the size of the tree',
  'grants.stop': 'counts the grants that it stops',
  'keys.lock': 'LOCK has no plan',
  'migrate.': 'runs at the start, on tables of its own',
  'system.': 'reads no table',
  'retention.': 'background work in batches, with tests of its own',
  // One look over all agents, in the background, on one replica. It reads the facts of a window of every agent.
  'anomalies.cascade_delegation_all': 'reads every agent',
  'anomalies.high_failure_rate_all': 'reads every agent',
  'anomalies.new_principal_all': 'reads every agent',
  'anomalies.off_hours_activity_all': 'reads every agent',
  'anomalies.rate_spike_all': 'reads every agent',
  'anomalies.unusual_scope_access_all': 'reads every agent',
};

/** Why a statement is not judged; undefined when it is. */
export const reasonFor = (name: string): string | undefined =>
  Object.entries(EXCEPTIONS).find(([start]) => name.startsWith(start))?.[1];
