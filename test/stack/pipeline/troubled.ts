import { afterAll, beforeAll } from 'vitest';
import { printTable, type Row, round } from '../../load/table.ts';
import { GC, Subject } from './drill.ts';
import { type Pipeline, startPipeline } from './pipeline.ts';

export let pipeline: Pipeline;
/** A service that sends to a real, healthy collector. */
export let healthy: Subject;
const rows: Row[] = [];

/** Sets the exports above for the calling test file, and prints its rows under `title` at the end. */
export function withHealthyOne(title: string): void {
  beforeAll(async () => {
    pipeline = await startPipeline('otel-collector', 'jaeger');
    healthy = await Subject.of(await pipeline.startService(GC));
  });
  afterAll(async () => {
    printTable(title, rows);
    await healthy?.service.stop();
    await pipeline?.stop();
  });
}

/** Runs a last turn and ends a service whose collector is in trouble. `figures` become a row of the table. */
export async function endInTrouble(subject: Subject, figures: Row): Promise<void> {
  await subject.turn(false);
  rows.push({ ...figures, 'end s': round(await subject.end()) });
}
