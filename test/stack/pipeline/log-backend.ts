import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { createGunzip } from 'node:zlib';

interface AnyValue {
  readonly stringValue?: string;
  readonly intValue?: string | number;
  readonly doubleValue?: number;
  readonly boolValue?: boolean;
  readonly arrayValue?: { readonly values?: readonly AnyValue[] };
}
type KeyValues = readonly { readonly key: string; readonly value: AnyValue }[];

/** A log record in the form in which the collector sends it. */
export interface StoredLog {
  readonly event: unknown;
  readonly severityText: string;
  readonly severityNumber: number;
  readonly timeUnixNano: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
}

interface Request {
  readonly resourceLogs: readonly {
    readonly resource: { readonly attributes: KeyValues };
    readonly scopeLogs: readonly {
      readonly logRecords: readonly (Omit<StoredLog, 'event' | 'attributes' | 'resource'> & {
        readonly body: AnyValue;
        readonly attributes?: KeyValues;
      })[];
    }[];
  }[];
}

function plain(value: AnyValue): unknown {
  if (value.arrayValue) return (value.arrayValue.values ?? []).map(plain);
  return value.intValue === undefined ? Object.values(value)[0] : Number(value.intValue);
}
const asRecord = (attributes: KeyValues = []) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, plain(value)]));

export interface LogBackend {
  /** The environment with which a collector sends its logs here. */
  readonly ofCollector: Readonly<Record<string, string>>;
  readonly records: readonly StoredLog[];
  close(): Promise<void>;
}

/** Starts an OTLP/HTTP server that keeps the logs of the collector. It accepts only JSON. */
export async function startLogBackend(): Promise<LogBackend> {
  const records: StoredLog[] = [];
  const server = createServer(async (request, response) => {
    const body = request.headers['content-encoding'] === 'gzip' ? request.pipe(createGunzip()) : request;
    const { resourceLogs } = (await json(body)) as Request;
    for (const { resource, scopeLogs } of resourceLogs)
      for (const { body: event, attributes, ...record } of scopeLogs.flatMap(({ logRecords }) => logRecords))
        records.push({
          ...record,
          event: plain(event),
          attributes: asRecord(attributes),
          resource: asRecord(resource.attributes),
        });
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    ofCollector: {
      OTELCOL_LOGS_EXPORTER: 'otlp_http/logs',
      OTELCOL_LOGS_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      OTELCOL_LOGS_ENCODING: 'json',
    },
    records,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
