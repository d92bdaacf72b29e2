import { expect, onTestFinished, test } from 'vitest';
import { startOwnService } from '../../faults/own-service.ts';
import { alternate, GC, Subject } from './drill.ts';
import { type Conduct, HostileCollector } from './hostile-collector.ts';
import { endInTrouble, healthy } from './troubled.ts';

/** How a collector may treat a service, and the words for it. */
const CONDUCTS = {
  mute: 'never answers',
  throttling: 'answers 429',
  unavailable: 'answers 503',
  garbage: 'answers no HTTP',
  slow: 'answers after 10 s',
} as const satisfies Partial<Record<Conduct, string>>;

/**
 * Defines a test for each conduct: one service sends to a collector that behaves badly, and another one to a real, healthy
 * collector. The file that calls it also calls `withHealthyOne`.
 */
export function defineHostileDrills(...conducts: (keyof typeof CONDUCTS)[]): void {
  test.each(conducts)(
    '%s: requests are as fast as ever, what is lost is counted, what comes after it arrives',
    async (conduct) => {
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
      const row = {
        'the collector': CONDUCTS[conduct],
        ...figures,
        'spans, lines lost': `${traces}, ${logs}`,
      };
      await endInTrouble(subject, row);
    },
  );
}
