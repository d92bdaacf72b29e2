import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/client.ts';
import { texts as columnTexts, int, text } from '../../src/db/column-types.ts';
import type { Queryable } from '../../src/db/queryable.ts';
import { waitFor } from '../support/child.ts';
import { asRequest, connect, insert, one, outcome, POOL, sleep, statement, WAYS } from './private-server.ts';
import { admin, server, withPrivateServer } from './with-private-server.ts';

const arrays = statement('SELECT', 'select $texts::text[] as back, cardinality($texts::text[]) as count', {
  params: { texts: columnTexts },
  row: { back: columnTexts, count: int },
});
const settings = statement(
  'SELECT',
  `select string_agg(name || '=' || setting, ' ' order by name) as limits from pg_settings
    where name in ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')`,
  { row: { limits: text } },
);

withPrivateServer();

describe.each(WAYS)('%s', (way) => {
  let db: Database;
  beforeEach(async () => {
    await admin`truncate numbers`;
    ({ db } = connect(server.urls[way]));
  });
  afterEach(() => db.close(1_000));

  test('values and arrays travel as they are, whatever is in them', async () => {
    const texts = ['plain', '', 'NULL', 'with "quotes" and \\ and {braces}, commas', '日本語'];
    expect(await db.all(arrays, { texts })).toEqual([{ back: texts, count: texts.length }]);
    expect(await db.all(arrays, { texts: [] })).toEqual([{ back: [], count: 0 }]);
  });

  test('every session has the limits of its work', async () => {
    const limits = async (on: Queryable) => (await on.all(settings, {}))[0]?.limits;
    expect(await limits(db)).toBe(
      'idle_in_transaction_session_timeout=3000 lock_timeout=1000 statement_timeout=2000 transaction_timeout=5000',
    );
    expect(await limits(db.background)).toContain('statement_timeout=15000');
  });

  test('a transaction in which a statement failed is never taken for committed', async () => {
    await admin`insert into numbers values (1)`;
    const swallowed = db.transaction(async (tx) => {
      await tx.all(insert, { n: 5 });
      await tx.all(insert, { n: 1 }).catch(() => undefined);
    });
    await expect(swallowed).rejects.toThrow(/rolled back/);
    expect(await admin`select n from numbers`).toEqual([{ n: 1 }]);
    expect(await db.all(one, { n: 3 })).toEqual([{ one: 3 }]);
  });

  test('one developer has at most half of the connections, however much it asks for', async () => {
    const greedy = Array.from({ length: 20 }, () =>
      asRequest(2_000, () => outcome(db.all(sleep, { seconds: 0.5 })), 'dev_greedy'),
    );
    await waitFor(() => db.connections().waiting === 20 - POOL / 2 || undefined);
    expect(db.connections().used).toBe(POOL / 2);
    const modest = () => Promise.all([outcome(db.all(one, { n: 1 })), outcome(db.all(one, { n: 2 }))]);
    expect(await asRequest(2_000, modest, 'dev_modest')).toEqual(['done', 'done']);
    expect(db.connections().waiting).toBe(20 - POOL / 2);
    expect(new Set(await Promise.all(greedy))).toEqual(new Set(['done', 503]));
  });
});

test('a refused connection is told with the word of the server', async () => {
  const refused = async (change: (url: URL) => void = () => undefined) => {
    const url = new URL(server.urls.plain);
    change(url);
    const { db, errors } = connect(url.href, 1);
    expect(await outcome(db.all(one, { n: 1 }))).toBe(503);
    await db.close(0);
    return errors[0];
  };
  const wrongPassword = (url: URL) => {
    url.password = 'wrong';
  };
  const wrongName = (url: URL) => {
    url.pathname = '/missing';
  };
  expect(await refused(wrongPassword)).toBe('28P01');
  expect(await refused(wrongName)).toBe('3D000');
  await server.cable.set('refusing');
  expect(await refused()).toBe('ECONNREFUSED');
  await server.cable.set('through');
});

test('a variable of libpq that the driver would read changes nothing', async () => {
  process.env['PGTARGETSESSIONATTRS'] = 'any';
  const { db, errors } = connect(server.urls.plain, 1);
  expect(await outcome(db.all(one, { n: 1 }))).toBe('done');
  expect(errors).toEqual([]);
  await db.close(1_000);
});
