import { expect, onTestFinished, test } from 'vitest';
import { startOwnService } from '../faults/own-service.ts';
import { alternate, GC, Subject } from './pipeline/drill.ts';
import { type Conduct, HostileCollector } from './pipeline/hostile-collector.ts';
import { endInTrouble, healthy, withHealthyOne } from './pipeline/troubled.ts';

/** One service sends to a collector that behaves badly, and another one to a real, healthy collector. */
withHealthyOne('A collector that behaves badly, and a healthy one in turn with it');

const CONDUCTS: [Conduct, string][] = [
  ['mute', 'never answers'],
  ['throttling', 'answers 429'],
  ['unavailable', 'answers 503'],
  ['garbage', 'answers no HTTP'],
  ['slow', 'answers after 10 s'],
];

test.each(CONDUCTS)(
  '%s: requests are as fast as ever, what is lost is counted, what comes after it arrives',
  async (conduct, name) => {
    const collector = new HostileCollector();
    const url = await collector.open();
    onTestFinished(() => collector.close());
    collector.behave(conduct);
    const service = await startOwnService({
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json', ...GC },
    });
    const subject = await Subject.of(service);
    const figures = await alternate(healthy, subject);
    // Both queues are full long before the end. The service counts dropped data at once.
    const [traces, logs] = [await subject.lost('traces'), await subject.lost('logs')];
    expect(traces).toBeGreaterThan(0);
    expect(logs).toBeGreaterThan(0);
    expect(collector.asked).toBeGreaterThan(0);

    collector.behave('well');
    await subject.untilTraced((id) => collector.hasTrace(id));
    // Each line has arrived or was counted as lost, and none both. Only after a slow answer may a line be both.
    const accounted = async () => collector.logs + (await subject.lost('logs')) - subject.lines;
    const difference = expect.poll(accounted, { timeout: 60_000, interval: 250 });
    await (conduct === 'slow' ? difference.toBeGreaterThanOrEqual(0) : difference.toBe(0));

    collector.behave(conduct);
    const row = { 'the collector': name, ...figures, 'spans, lines lost': `${traces}, ${logs}` };
    await endInTrouble(subject, row);
  },
);
