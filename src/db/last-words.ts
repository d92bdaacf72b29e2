/** What a server says when it ends a connection: an ErrorResponse of the severity FATAL or PANIC. */
export interface LastWords {
  /** SQLSTATE. */
  readonly code: string;
  /** In the language of the server. */
  readonly message: string;
  /** Not translated; absent from what a pooler says. */
  readonly severity: string;
}

const ERROR_RESPONSE = 0x45;
const HEADER_BYTES = 5;

/**
 * Reads the last message of what came in last, when that is an error that ends the connection (PostgreSQL protocol,
 * "Message Formats": ErrorResponse). The driver drops it when a statement is under way, and says only that the connection
 * was closed.
 */
export function lastWords(received: Buffer | undefined): LastWords | null {
  if (!received) return null;
  for (
    let at = received.lastIndexOf(ERROR_RESPONSE);
    at >= 0;
    at = received.lastIndexOf(ERROR_RESPONSE, at - 1)
  ) {
    const rest = received.length - at;
    if (rest > HEADER_BYTES && received.readInt32BE(at + 1) === rest - 1)
      return fatal(received.subarray(at + HEADER_BYTES));
    if (at === 0) break;
  }
  return null;
}

/** Fields are a letter and a text each, ended by a zero byte. */
function fatal(body: Buffer): LastWords | null {
  const fields = new Map(
    body
      .toString('utf8')
      .split('\0')
      .filter((field) => field.length > 1)
      .map((field) => [field[0], field.slice(1)]),
  );
  const severity = fields.get('V') ?? fields.get('S') ?? '';
  const code = fields.get('C') ?? '';
  if (!/^(FATAL|PANIC)$/.test(severity) || !/^[0-9A-Z]{5}$/.test(code)) return null;
  return { code, message: fields.get('M') ?? '', severity };
}
