/** The error with which a server ends a connection: an ErrorResponse of severity FATAL or PANIC. */
export interface ClosingError {
  /** SQLSTATE. */
  readonly code: string;
  /** In the language of the server. */
  readonly message: string;
  readonly severity: string;
  /** The error comes from PostgreSQL, which also sends the untranslated severity. A pooler does not. */
  readonly fromServer: boolean;
}

const ERROR_RESPONSE = 0x45;
const HEADER_BYTES = 5;

/** Whether these bytes may be a closing error. An ErrorResponse usually arrives in a chunk of its own. */
export const beginsWithError = (received: Buffer): boolean => received[0] === ERROR_RESPONSE;

/**
 * Reads the errors that end the connection from the end of the received bytes (PostgreSQL protocol, "Message Formats":
 * ErrorResponse). The driver drops them when a statement is under way, and reports only that the connection was closed. A
 * pooler passes on the error of its server and adds its own, so the first one counts.
 */
export function readClosingError(received: Buffer | undefined): ClosingError | null {
  let first: ClosingError | null = null;
  let rest = received;
  while (rest) {
    const at = lastMessage(rest);
    const error = at === null ? null : fatal(rest.subarray(at + HEADER_BYTES));
    if (at === null || !error) break;
    first = error;
    rest = rest.subarray(0, at);
  }
  return first;
}

/** The start of the message that ends at the end of `received`. */
function lastMessage(received: Buffer): number | null {
  for (let end = received.length; end > 0; ) {
    const at = received.lastIndexOf(ERROR_RESPONSE, end - 1);
    if (at < 0) return null;
    const length = received.length - at;
    if (length > HEADER_BYTES && received.readInt32BE(at + 1) === length - 1) return at;
    end = at;
  }
  return null;
}

/** Each field is a letter and a text, and ends with a zero byte. */
function fatal(body: Buffer): ClosingError | null {
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
  return { code, message: fields.get('M') ?? '', severity, fromServer: fields.has('V') };
}
