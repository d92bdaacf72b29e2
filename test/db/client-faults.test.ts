import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/client.ts';
import { waitFor } from '../support/child.ts';
import {
  asRequest,
  connect,
  insert,
  lockRow,
  one,
  outcome,
  POOL,
  sleep,
  statement,
  WAYS,
} from './private-server.ts';
import { admin, server, withPrivateServer } from './with-private-server.ts';

withPrivateServer();

describe.each(WAYS)('%s', (way) => {
  let db: Database;
  let errors: string[];
  let ended: string[];
  beforeEach(async () => {
    await admin`truncate numbers`;
    ({ db, errors, ended } = connect(server.urls[way]));
  });
  afterEach(() => db.close(1_000));
  const backends = async () => {
    const [row] = await admin<{ open: number }[]>`select count(*)::int as open from pg_stat_activity
      where application_name = 'grantex-auth'`;
    return row?.open ?? -1;
  };
  const open = () => db.connections().idle + db.connections().used;
  const fillPool = () =>
    waitFor(async () => {
      await Promise.all(Array.from({ length: POOL }, () => db.all(sleep, { seconds: 0.05 })));
      return open() === POOL || undefined;
    });

  test('backends that are terminated while idle, and while at work: one line each, and the gauge stays true', async () => {
    for (let round = 0; round < 5; round++) {
      await fillPool();
      expect(open()).toBe(POOL);
      const before = errors.length;
      await admin`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'grantex-auth'`;
      await waitFor(async () => (open() === 0 && errors.length === before + POOL) || undefined);
    }
    expect(new Set(errors)).toEqual(new Set(['57P01']));

    const write = outcome(db.all(statement('INSERT', 'insert into numbers select 1 from pg_sleep(30)'), {}));
    await waitFor(async () => {
      const rows =
        await admin`select pg_terminate_backend(pid) from pg_stat_activity where query like 'insert%pg_sleep%'
        and state = 'active' and pid <> pg_backend_pid()`;
      return rows.length === 1 || undefined;
    });
    // The server said that it ended it: so it is sure that nothing was written.
    expect(await write).toBe(503);
    expect(await admin`select n from numbers`).toEqual([]);
    expect(await outcome(db.all(one, { n: 1 }))).toBe('done');
    await waitFor(async () => (await backends()) === open() || undefined);
  });

  test('a statement of a request ends in the database when the time of the request is over', async () => {
    await db.all(one, { n: 1 });
    const answered = asRequest(300, () => outcome(db.all(sleep, { seconds: 30 })));
    expect(await answered).toBe(503);
    expect(ended).toEqual(['cancel']);
    const [row] =
      await admin`select count(*)::int as n from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'`;
    expect(row?.['n']).toBe(0);
    // What the cancellation might still meet is not used again.
    await waitFor(async () => open() === 0 || undefined);
    expect(errors).toEqual([]);
    const late = asRequest(-1, () => outcome(db.all(one, { n: 1 })));
    expect(await late).toBe(503);
  });

  test('a lock that somebody holds costs a second, and its statement does not wait on in the database', async () => {
    await admin`insert into numbers values (1)`;
    const held = Promise.withResolvers<void>();
    const locked = Promise.withResolvers<void>();
    const holding = admin.begin(async (tx) => {
      await tx`select from numbers for update`;
      locked.resolve();
      await held.promise;
    });
    await locked.promise;
    expect(await outcome(db.transaction((tx) => tx.all(lockRow, { n: 1 })))).toBe(503);
    expect(ended).toEqual(['lock_timeout']);
    expect(db.connections()).toEqual({ idle: 1, used: 0, waiting: 0 });
    held.resolve();
    await holding;
    expect(await outcome(db.transaction((tx) => tx.all(lockRow, { n: 1 })))).toBe('done');
  });

  test('a transaction that falls silent is ended by the server; nothing of it is there', async () => {
    const silent = outcome(
      db.transaction(async (tx) => {
        await tx.all(insert, { n: 7 });
        await waitFor(() => errors.length > 0 || undefined, 10_000);
        await tx.all(insert, { n: 8 });
      }),
    );
    expect(await silent).toBe(503);
    expect(errors).toEqual(['25P03']);
    expect(ended).toEqual(['idle_in_transaction']);
    expect(await admin`select n from numbers`).toEqual([]);
  });

  test('connections that the network swallowed are given up, the idle ones too, and new ones are made', async () => {
    await fillPool();
    await server.cable.set('swallowing');
    await server.cable.set('through');
    const asked = asRequest(200, () => outcome(db.all(insert, { n: 1 })));
    expect(await asked).toBe('ETIMEDOUT');
    expect(errors).toEqual(['ETIMEDOUT']);
    expect(open()).toBe(0);
    expect(await outcome(db.all(one, { n: 1 }))).toBe('done');
  });

  test('a server that takes no writes any more: nothing was done, no connection to it is kept, health says so', async () => {
    await fillPool();
    await db.side.assertWritable(1_000);
    await admin`alter system set default_transaction_read_only = on`;
    await admin`select pg_reload_conf()`;
    try {
      await waitFor(async () => (await outcome(db.side.assertWritable(1_000))) === '25006' || undefined);
      expect(open()).toBe(0);
      expect(await outcome(db.all(insert, { n: 1 }))).toBe(503);
      expect(new Set(errors)).toEqual(new Set(['25006']));
    } finally {
      await admin`set default_transaction_read_only = off`;
      await admin`alter system reset default_transaction_read_only`;
      await admin`select pg_reload_conf()`;
    }
    await waitFor(async () => (await outcome(db.all(insert, { n: 2 }))) === 'done' || undefined);
    await db.side.assertWritable(1_000);
  });

  test('a write that finds out that the server takes none: one line with its word, and no connection is kept', async () => {
    await fillPool();
    await admin`alter system set default_transaction_read_only = on`;
    await admin`select pg_reload_conf()`;
    try {
      const write = async () => (await outcome(db.all(insert, { n: 1 }))) === 503 || undefined;
      await waitFor(async () => {
        const refused = await write();
        if (!refused) await admin`truncate numbers`.catch(() => undefined);
        return refused;
      });
      expect(errors[0]).toBe('25006');
      expect(open()).toBe(0);
    } finally {
      await admin`set default_transaction_read_only = off`;
      await admin`alter system reset default_transaction_read_only`;
      await admin`select pg_reload_conf()`;
    }
  });

  test('a commit that its standby may not have is not acknowledged', async () => {
    await db.all(one, { n: 1 });
    await admin`alter system set synchronous_standby_names = 'nobody'`;
    await admin`select pg_reload_conf()`;
    try {
      await waitFor(async () => {
        const [row] = await admin`select setting from pg_settings where name = 'synchronous_standby_names'`;
        return row?.['setting'] === 'nobody' || undefined;
      });
      const write = (work: () => Promise<unknown>) => asRequest(1_000, () => outcome(work()));
      expect(await write(() => db.all(insert, { n: 1 }))).toBe('COMMIT_NOT_REPLICATED');
      expect(await write(() => db.transaction((tx) => tx.all(insert, { n: 2 })))).toBe(
        'COMMIT_NOT_REPLICATED',
      );
      expect(ended).toEqual(['cancel', 'cancel']);
    } finally {
      await admin`set synchronous_commit = local`;
      await admin`alter system reset synchronous_standby_names`;
      await admin`select pg_reload_conf()`;
    }
    expect(await admin`select n from numbers order by n`).toEqual([{ n: 1 }, { n: 2 }]);
  });
});
