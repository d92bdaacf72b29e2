import { ANOMALY_DETECTION, RULES_OF_SINGLE_FACTS, RULES_OVER_TIME } from './files.ts';
import type { Mutant } from './mutant.ts';

const RULES = 'src/anomalies/rules-store.ts';
const STORE = 'src/anomalies/store.ts';

/** Faults in what is looked for, and in how often it is told. */
export const ANOMALIES: Mutant[] = [
  {
    name: 'spike-at-the-threshold-already',
    file: RULES,
    text: 'where counted.recent > $over::int and',
    replacement: 'where counted.recent >= $over::int and',
    killedBy: [RULES_OVER_TIME],
  },
  {
    name: 'spike-whatever-is-usual',
    file: RULES,
    text: ' and counted.recent > counted.baseline * $factor::int',
    replacement: ' and $factor::int > 0',
    killedBy: [RULES_OVER_TIME],
  },
  {
    name: 'refused-exchanges-are-no-failures',
    file: RULES,
    text: '(entries.failed + refused.total) * 100',
    replacement: 'entries.failed * 100',
    killedBy: [RULES_OVER_TIME, ANOMALY_DETECTION],
  },
  {
    name: 'every-grant-is-for-a-new-principal',
    file: RULES,
    text: 'and earlier.issued_at < given.issued_at)',
    replacement: 'and earlier.issued_at < given.issued_at and false)',
    killedBy: [RULES_OF_SINGLE_FACTS],
  },
  {
    name: 'anomaly-opens-again-by-what-was-acknowledged',
    file: STORE,
    text: 'and known.acknowledged_at >= found.at\n',
    replacement: 'and false\n',
    killedBy: ['test/anomalies/routes.test.ts'],
  },
  {
    name: 'a-look-does-not-wait-for-an-acknowledgement',
    file: STORE,
    text: 'order by id for update)',
    replacement: 'order by id)',
    killedBy: ['test/races/acknowledgement.test.ts'],
  },
  {
    name: 'anomaly-counts-whenever-it-is-seen',
    file: 'src/anomalies/detect-anomalies.ts',
    text: 'if (opened) telemetry',
    replacement: 'telemetry',
    killedBy: [ANOMALY_DETECTION],
  },
  {
    name: 'anomalies-of-others-can-be-acknowledged',
    file: STORE,
    text: 'where developer_id = $developerId and id = $id returning',
    replacement: 'where $developerId::text is not null and id = $id returning',
    killedBy: ['test/tenancy/tenancy.test.ts'],
  },
  {
    name: 'every-replica-looks-at-all',
    file: 'src/anomalies/watch-store.ts',
    text: 'where begun_at <= now() - make_interval(secs => $seconds::int)',
    replacement: 'where $seconds::int > 0',
    killedBy: ['test/anomalies/replicas.test.ts'],
  },
];
