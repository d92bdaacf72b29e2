import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Canaries, placesIn, secretsIn, sendCanaries } from '../security/canaries.ts';
import { type TestService, waitFor } from '../support/service.ts';
import { type Receiver, startReceiver } from '../webhooks/receiver.ts';
import { type Pipeline, startPipeline } from './pipeline/pipeline.ts';

let pipeline: Pipeline;
let receiver: Receiver;
let service: TestService;
let canaries: Canaries;
beforeAll(async () => {
  pipeline = await startPipeline('otel-collector', 'jaeger');
  receiver = await startReceiver();
  service = await pipeline.startService();
  canaries = await sendCanaries(service, receiver.url);
  await service.stop();
});
afterAll(async () => {
  await receiver?.close();
  await pipeline?.stop();
});

test('what the real collector passes on has no secret, and of what callers wrote only what is listed', async () => {
  const logs = await waitFor(() => {
    const { records } = pipeline.logs;
    // Lines come in order. What follows this one may be too late for the collector.
    return records.some(({ event }) => event === 'service.stopping') ? JSON.stringify(records) : undefined;
  });
  expect(placesIn(canaries, logs)).toContain('flow: scopes');
  const spans = await waitFor(async () => {
    const text = JSON.stringify(await pipeline.jaeger.traces('grantex-auth'));
    return placesIn(canaries, text).includes('flow: scopes') ? text : undefined;
  });
  expect([secretsIn(canaries, logs), secretsIn(canaries, spans)]).toEqual([[], []]);
  const listed = [
    ...[
      'POST /v1/authorize body.scopes',
      'POST /v1/principal-sessions body.principalId',
      'POST /v1/webhooks body.url',
    ],
    ...['flow: principalId', 'flow: scopes', 'header user-agent', 'header x-request-id'],
  ];
  expect(placesIn(canaries, logs + spans).filter((place) => !listed.includes(place))).toEqual([]);
});
