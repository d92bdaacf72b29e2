import { afterAll, beforeAll, expect, test } from 'vitest';
import { REFUSAL_REASONS, type RefusableOperation } from '../../src/label-values.ts';
import { sentSpans } from '../instrumentation/child.ts';
import { newParty, type Party } from '../support/flow.ts';
import type { Scrape } from '../support/scrape.ts';
import { type TestService, waitFor } from '../support/service.ts';
import { refusalCases, type Send } from './refusal-cases.ts';
import { startTracedService, type TracedService } from './traced-service.ts';

let traced: TracedService;
let service: TestService;
let party: Party;
let stranger: Party;
beforeAll(async () => {
  traced = await startTracedService({ MAX_DELEGATION_DEPTH: '1' });
  ({ service } = traced);
  party = await newParty(service);
  stranger = await newParty(service);
});
afterAll(() => traced?.stop());

const manage = (method: string, path: string, body?: unknown, key = party.key) =>
  service.request(method, path, { key, body });

const OPERATIONS = Object.keys(REFUSAL_REASONS) as RefusableOperation[];
const nameOf = (operation: string, reason: string) => `${operation} ${reason}`;

/** Sends with the name of the case as the id of the request. */
const sendAs =
  (name: string): Send =>
  (path, body, key = party.key, method = 'POST') =>
    service.request(method, path, {
      key,
      body: body instanceof URLSearchParams ? body.toString() : body,
      headers: {
        'x-request-id': name,
        ...(body instanceof URLSearchParams && { 'content-type': 'application/x-www-form-urlencoded' }),
      },
    });

async function everyCase(): Promise<void> {
  const { cases, working } = refusalCases(service, party, stranger, (await party.grant()).grantToken);
  for (const operation of OPERATIONS)
    for (const [reason, work] of Object.entries(cases[operation]))
      await work(sendAs(nameOf(operation, reason)));
  const sendEach = (reason: string) =>
    Promise.all(OPERATIONS.map((operation) => working[operation](sendAs(nameOf(operation, reason)))));
  const { sql } = service.database;
  await sql.begin(async (tx) => {
    await tx`lock table agents in access exclusive mode`;
    await sendEach('unavailable');
  });
  await sql`alter table agents rename to agents_away`;
  await sendEach('internal_error');
  await sql`alter table agents_away rename to agents`;
}

const refusalsIn = (scrape: Scrape): Record<string, number> =>
  Object.fromEntries(
    scrape
      .labelSets('grantex_refusals_total')
      .map((labels) => [
        nameOf(labels['operation'] ?? '', labels['reason'] ?? ''),
        scrape.value('grantex_refusals_total', labels) ?? Number.NaN,
      ]),
  );
const EVERY = OPERATIONS.flatMap((operation) =>
  REFUSAL_REASONS[operation].map((reason) => nameOf(operation, reason)),
);
const each = <T>(value: (name: string) => T): Record<string, T> =>
  Object.fromEntries(EVERY.map((name) => [name, value(name)]));

test('each reason of each operation: the same word in the family, in the log line and on a span', async () => {
  expect(refusalsIn(await service.scrape())).toEqual(each(() => 0));
  await everyCase();

  const scrape = await service.scrape();
  expect(refusalsIn(scrape)).toEqual(each(() => 1));

  const lines = await waitFor(() => {
    const all = service.logs.filter(
      ({ msg }) => msg === 'request.refused' || msg === 'token.verification_failed',
    );
    return all.length >= EVERY.length ? all : undefined;
  });
  const named = Object.fromEntries(lines.map((line) => [String(line['requestId']), line]));
  expect(lines).toHaveLength(EVERY.length);
  const reasonIn = (name: string) => name.split(' ')[1];
  expect(Object.fromEntries(Object.entries(named).map(([name, { reason }]) => [name, reason]))).toEqual(
    each(reasonIn),
  );

  const spans = await waitFor(() => {
    const reasons = new Map(
      sentSpans(traced.sink).flatMap(({ traceId, attributes }) => {
        const reason = attributes['grantex.refusal_reason'];
        return reason === undefined ? [] : [[traceId, reason] as const];
      }),
    );
    return reasons.size >= EVERY.length ? reasons : undefined;
  });
  expect(each((name) => spans.get(String(named[name]?.['trace_id'])))).toEqual(each(reasonIn));

  const of = (operation: RefusableOperation, ...without: string[]) =>
    REFUSAL_REASONS[operation].filter((reason) => !without.includes(reason)).length;
  const total = (family: string, labels: Record<string, string>) =>
    scrape.value(`grantex_${family}_total`, labels);
  expect(total('token_exchange', { status: 'error' })).toBe(of('exchange'));
  expect(total('token_refresh', { status: 'error' })).toBe(of('refresh'));
  expect(total('authorize', { status: 'error' })).toBe(of('authorize', 'policy_denied'));
  expect(total('authorize', { status: 'denied' })).toBe(1);
  const failed = ['bad_request', 'internal_error', 'unavailable'];
  expect(total('token_verifications', { result: 'invalid' })).toBe(
    of('verify', ...failed) + of('introspect', ...failed),
  );
});

test('401 and 429 are not refusals of an operation', async () => {
  const before = refusalsIn(await service.scrape());
  expect((await manage('POST', '/v1/token', { code: 'x', agentId: 'y' }, 'gx_live_wrong')).status).toBe(401);
  expect((await manage('POST', '/v1/token', '{', 'gx_live_wrong')).status).toBe(401);
  expect(refusalsIn(await service.scrape())).toEqual(before);
});
