import { expect, onTestFinished, test } from 'vitest';
import { freePorts } from '../../../deploy/programs/stack/addresses.ts';
import { telemetryEnv } from '../../../deploy/programs/stack/definitions.ts';
import { Stack } from '../../../deploy/programs/stack/stack.ts';
import { startOwnService } from '../../faults/own-service.ts';
import { temporaryDirectory } from '../../support/service.ts';
import { alternate, GC, Subject } from './drill.ts';
import { startLogBackend } from './log-backend.ts';
import { endInTrouble, healthy, pipeline } from './troubled.ts';

interface Outage {
  readonly name: 'absent at the start' | 'killed' | 'restarted';
  readonly startsWithout?: boolean;
  during?(turn: number, collector: Stack): Promise<void> | void;
  /** Starts the collector again, unless it runs already. */
  end?(collector: Stack): Promise<void>;
  /** The signals that must have lost data by the end of the load. */
  readonly loses: readonly ('traces' | 'logs')[];
}

const OUTAGES: readonly Outage[] = [
  {
    name: 'absent at the start',
    startsWithout: true,
    end: (collector) => collector.start('otel-collector'),
    loses: ['traces', 'logs'],
  },
  {
    name: 'killed',
    during(turn, collector) {
      if (turn === 0) collector.program('otel-collector').kill();
    },
    end: (collector) => collector.start('otel-collector'),
    // The queue may have room for all later lines.
    loses: ['traces'],
  },
  {
    name: 'restarted',
    async during(turn, collector) {
      if (turn !== 1) return;
      await collector.program('otel-collector').stop();
      await collector.start('otel-collector');
    },
    loses: [],
  },
];

/**
 * Defines a test for each outage: a second real collector, with a separate disk, is away for a while. Both collectors send
 * to the same Jaeger. The file that calls it also calls `withHealthyOne`.
 */
export function defineOutageDrills(...names: Outage['name'][]): void {
  test.each(OUTAGES.filter(({ name }) => names.includes(name)))(
    '$name: requests are as fast as ever, what is lost is counted, traces arrive afterwards',
    async (outage) => {
      const { name, startsWithout = false, during, end, loses } = outage;
      const directory = await temporaryDirectory();
      const logs = await startLogBackend();
      const ports = { ...(await freePorts()), jaegerOtlp: pipeline.ports.jaegerOtlp };
      const collector = new Stack({
        ports,
        directory: directory.path,
        env: { 'otel-collector': logs.ofCollector },
      });
      onTestFinished(async () => {
        await collector.stop();
        await logs.close();
        await directory.remove();
      });
      if (!startsWithout) await collector.start('otel-collector');
      const service = await startOwnService({ env: { ...telemetryEnv(ports), ...GC } });
      const subject = await Subject.of(service);
      const figures = await alternate(healthy, subject, (turn) => during?.(turn, collector));
      const lost = { traces: await subject.lost('traces'), logs: await subject.lost('logs') };
      for (const signal of loses) expect(lost[signal]).toBeGreaterThan(0);

      await end?.(collector);
      await subject.untilTraced(async (id) => (await pipeline.jaeger.trace(id)).length > 0);
      // Every line has arrived or was counted as lost. After a lost answer a line may arrive twice.
      const accounted = async () => logs.records.length + (await subject.lost('logs')) - subject.lines;
      await expect.poll(accounted, { timeout: 60_000, interval: 250 }).toBeGreaterThanOrEqual(0);

      await collector.stop();
      const row = { 'the collector': name, ...figures, 'spans, lines lost': `${lost.traces}, ${lost.logs}` };
      await endInTrouble(subject, row);
    },
  );
}
