import { expect, test } from 'vitest';
import { printTable } from '../load/table.ts';
import { newParty } from '../support/flow.ts';
import { expectReconciled } from '../support/reconcile.ts';
import { parseScrape } from '../support/scrape.ts';
import { waitFor } from '../support/service.ts';
import { expectAnswersStored, expectCountersExplained, expectProperAnswers } from './ledger.ts';
import { startOwnService } from './own-service.ts';
import { startDeafScrapers, startScrapers } from './scrapers.ts';
import { isGood, startTraffic } from './traffic.ts';

const SCRAPERS = 50;

test('fifty scrapers at once under load, and five that never read: every scrape is whole, every answer right', async () => {
  const service = await startOwnService();
  const party = await newParty(service, 'sandbox');
  const traffic = startTraffic({ url: service.url, ...party });
  await waitFor(() => traffic.shots.length >= 200 || undefined);
  const calm = await service.scrape();
  const stormBegan = traffic.shots.length;

  const endDeaf = startDeafScrapers(service.url, 5);
  const { seen, stop } = startScrapers(service.url, SCRAPERS);
  await waitFor(
    () => (seen.flat().length >= 20 * SCRAPERS && traffic.shots.length >= stormBegan + 200) || undefined,
  );
  await stop();
  await traffic.stop();
  endDeaf();

  const scrapes = seen.flat();
  const last = await service.scrape();
  const delay = (quantile: string, of = last) =>
    Math.round((of.value(`nodejs_eventloop_delay_${quantile}_seconds`) ?? -1) * 1e3);
  printTable('scrape storm', [
    {
      scrapes: scrapes.length,
      'bytes each': last.text.length,
      'slowest scrape ms': Math.round(Math.max(...scrapes.map(({ ms }) => ms))),
      'other requests': traffic.shots.length - stormBegan,
      'slowest of them ms': Math.round(
        Math.max(...traffic.shots.slice(stormBegan).map(({ reply }) => reply.ms)),
      ),
      'event loop p50 ms': delay('p50'),
      'p99 ms': delay('p99'),
      'p99 before ms': delay('p99', calm),
    },
  ]);
  expect(scrapes.filter(({ status }) => status !== 200)).toEqual([]);
  for (const { body } of scrapes) {
    expect(body.endsWith('\n')).toBe(true);
    expect(body).toContain('grantex_token_exchange_total{status="success"} ');
  }
  // No counter decreases between two scrapes of one scraper.
  for (const own of seen) {
    const counts = own.map(
      ({ body }) => parseScrape(body).value('grantex_authorize_total', { status: 'success' }) ?? -1,
    );
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
  }
  expect(traffic.shots.filter((shot) => !isGood(shot))).toEqual([]);
  expectProperAnswers(traffic.shots);
  await expectAnswersStored(service.database.sql, traffic.shots);
  for (const { what, counted, rows } of await expectCountersExplained(
    service.database.sql,
    traffic.shots,
    last,
  ))
    expect([what, counted]).toEqual([what, rows]);
  await expectReconciled(service);
  expect(await service.stop()).toBe(0);
});
