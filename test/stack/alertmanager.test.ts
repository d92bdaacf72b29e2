import { afterAll, beforeAll, expect, test } from 'vitest';
import { loopback } from '../../deploy/programs/stack/addresses.ts';
import { waitFor } from '../support/service.ts';
import { type Pipeline, startPipeline } from './pipeline/pipeline.ts';

let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await startPipeline('alertmanager', 'alert-sink');
});
afterAll(() => pipeline?.stop());

interface Sent {
  readonly receiver: string;
  readonly alerts: readonly { readonly status: string; readonly labels: Readonly<Record<string, string>> }[];
}
interface Message {
  readonly channel: string;
  readonly attachments: readonly {
    readonly title: string;
    readonly title_link: string;
    readonly text: string;
  }[];
}

async function received<T>(path: string, count: number): Promise<T[]> {
  return waitFor(async () => {
    const all = (await (await fetch(`http://${loopback(pipeline.ports.alertSink)}${path}`)).json()) as T[];
    return all.length >= count ? all : undefined;
  }, 20_000);
}

async function raise(...alerts: { alertname: string; severity: string; job?: string }[]): Promise<void> {
  const answer = await fetch(`http://${loopback(pipeline.ports.alertmanager)}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(
      alerts.map((labels) => ({
        labels: { job: 'grantex-auth', ...labels },
        annotations: {
          summary: `${labels.alertname} is ${labels.severity}.`,
          runbook_url: `https://example.com/runbooks/${labels.alertname}`,
          dashboard_url: 'https://example.com/d/grantex-overview',
        },
      })),
    ),
  });
  expect(answer.status).toBe(200);
}

test('alerts reach their receiver with runbook and dashboard; a warning beside its critical twin is not sent, the watchdog to nobody', async () => {
  // The critical alert comes first, because Alertmanager cannot withdraw a warning that it has already sent.
  await raise(
    { alertname: 'HighAuthLatency', severity: 'critical' },
    { alertname: 'HighAuthLatency', severity: 'warning' },
    { alertname: 'HighAuthLatency', severity: 'warning', job: 'another' },
  );
  await received<Sent>('/alerts', 2);
  await raise(
    { alertname: 'WebhookDeliveryFailure', severity: 'warning' },
    { alertname: 'GrantexWatchdog', severity: 'none' },
  );

  const sent = await received<Sent>('/alerts', 4);
  expect(
    sent
      .flatMap(({ receiver, alerts }) =>
        alerts.map(({ status, labels: { alertname, severity, job } }) => [
          receiver,
          status,
          alertname,
          severity,
          job,
        ]),
      )
      .sort(),
  ).toEqual([
    ['critical', 'firing', 'HighAuthLatency', 'critical', 'grantex-auth'],
    ['warning', 'firing', 'HighAuthLatency', 'warning', 'another'],
    ['warning', 'firing', 'WebhookDeliveryFailure', 'warning', 'grantex-auth'],
    ['watchdog', 'firing', 'GrantexWatchdog', 'none', 'grantex-auth'],
  ]);
  const messages = await received<Message>('/messages', 3);
  expect(messages.map(({ channel }) => channel).sort()).toEqual(['#alerts', '#alerts', '#on-call']);
  const [message] = messages.find(({ channel }) => channel === '#on-call')?.attachments ?? [];
  expect(message?.title).toBe('CRITICAL: HighAuthLatency');
  expect(message?.title_link).toBe('https://example.com/d/grantex-overview');
  expect(message?.text.split('\n').slice(0, 3)).toEqual([
    'HighAuthLatency is critical.',
    'Runbook: https://example.com/runbooks/HighAuthLatency',
    'Dashboard: https://example.com/d/grantex-overview',
  ]);
});
