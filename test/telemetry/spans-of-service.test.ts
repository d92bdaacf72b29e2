import { afterAll, beforeAll, expect, test } from 'vitest';
import { type SentSpan, sentSpans } from '../instrumentation/child.ts';
import { waitFor } from '../support/child.ts';
import { newParty } from '../support/flow.ts';
import { HOOK_ENV, hook } from '../webhooks/hooks.ts';
import { type Receiver, startReceiver } from '../webhooks/receiver.ts';
import { startTracedService, type TracedService } from './traced-service.ts';

let traced: TracedService;
let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver();
  traced = await startTracedService(HOOK_ENV);
});
afterAll(async () => {
  await traced?.stop();
  await receiver.close();
});

const spanWhere = (passes: (span: SentSpan) => boolean) => waitFor(() => sentSpans(traced.sink).find(passes));

test('a request has the address of its caller on its span, not the one that a header claims', async () => {
  const headers = { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'https' };
  const { status } = await traced.service.request('GET', '/.well-known/jwks.json', { headers });
  expect(status).toBe(200);
  const span = await spanWhere(({ name }) => name === 'GET /.well-known/jwks.json');
  expect(span.attributes).toMatchObject({
    'client.address': '127.0.0.1',
    'url.scheme': 'http',
    'http.response.status_code': 200,
  });
});

test('behind a trusted proxy they are the address and the scheme that it tells', async () => {
  const proxied = await startTracedService({ TRUST_PROXY: 'loopback' });
  try {
    const headers = { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'https' };
    await proxied.service.request('GET', '/.well-known/jwks.json', { headers });
    const span = await waitFor(() =>
      sentSpans(proxied.sink).find(({ name }) => name === 'GET /.well-known/jwks.json'),
    );
    expect(span.attributes).toMatchObject({ 'client.address': '203.0.113.7', 'url.scheme': 'https' });
  } finally {
    await proxied.stop();
  }
});

test('a delivery is a trace of its own, linked to the span that caused its event', async () => {
  const party = await newParty(traced.service);
  const registered = await hook(traced.service, party, receiver.url, ['grant.created']);
  const { grantId } = await party.grant();
  const cause = await spanWhere(
    ({ name, attributes }) => name === 'grantex.token.exchange' && attributes['grantex.grant_id'] === grantId,
  );
  const delivery = await spanWhere(({ name }) => name === 'grantex.webhook.deliver');
  expect(delivery.links).toEqual([expect.objectContaining({ traceId: cause.traceId, spanId: cause.spanId })]);
  expect(delivery.traceId).not.toBe(cause.traceId);
  expect(delivery.parentSpanId ?? '').toBe('');
  // SPAN_KIND_CLIENT of OTLP.
  expect(delivery.kind).toBe(3);
  expect(delivery.status).toEqual({ code: 0 });
  expect(delivery.attributes).toEqual({
    'grantex.webhook_id': registered.id,
    'grantex.event_id': receiver.received[0]?.headers['webhook-id'],
    'grantex.event_type': 'grant.created',
    'grantex.agent_id': party.agentId,
    'grantex.developer_id': party.developerId,
    'server.address': '127.0.0.1',
    'http.response.status_code': 204,
  });
});
