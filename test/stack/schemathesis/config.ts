/** What the run is told of one operation. */
interface OperationHints {
  /** Why data that has the right shape may still be refused with 400; checked as accepted where there is no reason. */
  readonly meaning?: string;
  /** Real identifiers: `path.id`, `body.agentId`…, mixed with made-up ones. */
  readonly values?: Readonly<Record<string, readonly string[]>>;
}

export type Hints = Readonly<Record<string, OperationHints>>;

/** How often a generated request takes a real identifier. */
const PROBABILITY = 0.9;

const quoted = (value: unknown) => JSON.stringify(value);

/** schemathesis.toml: JSON strings, numbers and arrays of them are TOML too. */
export function schemathesisConfig({ key, hints }: { key: string; hints: Hints }): string {
  const dictionaries: string[] = [];
  const operations = Object.entries(hints).map(([name, { meaning, values = {} }], index) => {
    const bindings = Object.entries(values).map(([parameter, of], nth) => {
      dictionaries.push(`d${index}_${nth} = { values = ${quoted(of)} }`);
      return `${quoted(parameter)} = { dictionary = "d${index}_${nth}", probability = ${PROBABILITY} }`;
    });
    return [
      '[[operations]]',
      `include-name = ${quoted(name)}`,
      ...(meaning === undefined ? [] : ['checks.positive_data_acceptance.enabled = false']),
      ...(bindings.length === 0 ? [] : ['[operations.parameters]', ...bindings]),
    ].join('\n');
  });
  return `
# Two threads that parse Python at one moment trip over each other in CPython 3.11 (python/cpython#106905).
workers = 1
continue-on-failure = true
request-timeout = 10
cache.enabled = false
[generation]
# What PostgreSQL cannot hold is 400 by rule, in every text.
allow-x00 = false
database = "none"
[checks]
# Data of the right shape may meet an object that is not there, or no longer so; nothing excuses a 5xx.
positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 410]
# An unknown method is an unknown path: 404 in the envelope, by the protocol.
unsupported_method.enabled = false
[auth.openapi.apiKey]
bearer = ${quoted(key)}
[auth.openapi.sessionToken]
bearer = ${quoted(key)}
[dictionaries]
${dictionaries.join('\n')}
${operations.join('\n')}
`;
}
