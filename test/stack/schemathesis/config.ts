/** The hints for one operation of the run. */
interface OperationHints {
  /** Why valid data may still be refused with 400. Without a reason, the service must accept all valid data. */
  readonly meaning?: string;
  /** Real identifiers for `path.id`, `body.agentId`…. The run mixes them with generated ones. */
  readonly values?: Readonly<Record<string, readonly string[]>>;
}

export type Hints = Readonly<Record<string, OperationHints>>;

/** How often a generated request takes a real identifier. */
const PROBABILITY = 0.9;

const quoted = (value: unknown) => JSON.stringify(value);

/** Makes schemathesis.toml. JSON strings, numbers and arrays are also valid TOML. */
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
# CPython 3.11 fails when two threads parse Python at the same time (python/cpython#106905).
workers = 1
continue-on-failure = true
request-timeout = 10
cache.enabled = false
[generation]
# PostgreSQL cannot store NUL, so the service refuses it with 400 in every text.
allow-x00 = false
database = "none"
[checks]
# Valid data may name an object that does not exist or has another state. A 5xx is never allowed.
positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 410]
# By the protocol, an unknown method is a 404 in the error envelope, like an unknown path.
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
