import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandom, type Random } from '@discovery-raft/raft-core';
import { carryOut, choose } from './fixtures/operations.js';
import { cutAmongPages, cutInRoot, garbageInRoot, WatchedDatabase } from './support/power-cut.js';
import { failureOf } from './support/failure.js';
import { after, contentsOf, EMPTY_MODEL, sameContents, type StoreModel } from './support/store-model.js';
import { openTemp, tempDirectory } from './support/temp.js';
import { VolatileFiles } from './support/volatile-files.js';

/*
 * What a power cut leaves, without one: the file is put together from what it was when the commit before was durable, and from
 * what the next one wrote, for every order in which a disk may write between two syncs. That the syncs are where LMDB's source
 * has them cannot be seen from here (docs/adr/0012).
 */

/** How often the power goes; RAFT_STORE_CUTS=5000 for a long run. */
const CUTS = Number(process.env['RAFT_STORE_CUTS'] ?? 300);
const SEED = Number(process.env['RAFT_STORE_SEED'] ?? 1);
/** After so many cuts of one life, the next one starts from what a cut has left. */
const CUTS_A_LIFE = 10;

/** A store's directory with nothing but this database. */
function directoryWith(file: Uint8Array): string {
  const path = tempDirectory();
  writeFileSync(join(path, 'data.mdb'), file);
  return path;
}

async function contentsAt(path: string): Promise<StoreModel> {
  const store = await openTemp({ path });
  await store.verify();
  const contents = await contentsOf(store);
  await store.close();
  return contents;
}

interface Cut {
  readonly path: string;
  readonly holds: StoreModel;
}

async function life({ path, holds }: Cut, random: Random, counts: Record<string, number>): Promise<Cut> {
  let model = holds;
  let watched!: WatchedDatabase;
  const wrapDatabase = (inner: ConstructorParameters<typeof WatchedDatabase>[0]): WatchedDatabase =>
    (watched = new WatchedDatabase(inner, join(path, 'data.mdb')));
  const store = await openTemp({ path, cacheBytes: 10_000, maxWaitingTombstones: 100 }, { wrapDatabase });
  watched.take();
  let last: Cut = { path, holds };
  for (let cuts = 0; cuts < CUTS_A_LIFE;) {
    const operation = choose(random, store, model.hardState?.term ?? 1);
    if (operation.op === 'snapshot') continue;
    await carryOut(store, operation);
    const next = after(model, operation);
    for (const commit of watched.take()) {
      if (random.next() < 0.4) continue;
      cuts++;
      const place = random.next() < 0.7 ? 'pages' : 'root';
      const image = place === 'pages' ? cutAmongPages(commit, random) : cutInRoot(commit, random);
      const cut = directoryWith(image);
      const found = await contentsAt(cut);
      const held = sameContents(found, model);
      const went = sameContents(found, next);
      // Among the pages nobody was told that the call is done, and nothing of it may be there.
      if (!held && (place === 'pages' || !went)) {
        throw new Error(
          `a cut in the ${place}, seed ${SEED}: lost or invented; under way: ${JSON.stringify(operation)}`,
        );
      }
      counts[held ? `${place}, before` : `${place}, through`]!++;
      last = { path: cut, holds: found };
    }
    model = next;
  }
  await store.close();
  return last;
}

test(
  `after ${CUTS} power cuts the store has what was acknowledged, and what was under way whole or not at all`,
  async () => {
    const random = seededRandom(SEED);
    const counts: Record<string, number> = { 'pages, before': 0, 'root, before': 0, 'root, through': 0 };
    let cut: Cut = { path: tempDirectory(), holds: EMPTY_MODEL };
    for (let lives = 0; lives * CUTS_A_LIFE < CUTS; lives++) cut = await life(cut, random, counts);
    if (process.env['RAFT_STORE_CUTS'] !== undefined) process.stderr.write(`${JSON.stringify(counts)}\n`);
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(0);
  },
  100 * CUTS + 10_000,
);

test('a root that was left as garbage is told, with what to do; the other one is not taken for it', async () => {
  const random = seededRandom(SEED);
  let watched!: WatchedDatabase;
  const path = tempDirectory();
  const wrapDatabase = (inner: ConstructorParameters<typeof WatchedDatabase>[0]): WatchedDatabase =>
    (watched = new WatchedDatabase(inner, join(path, 'data.mdb')));
  const store = await openTemp({ path }, { wrapDatabase });
  for (let term = 1; term < 20; term++) {
    await store.stableStore.save({ term, votedFor: null });
    const [commit] = watched.take();
    const error = await failureOf(openTemp({ path: directoryWith(garbageInRoot(commit!, random)) }));
    expect(error).toMatchObject({
      code: 'RAFT_STORE_CORRUPT',
      details: { failure: 'corrupt', part: 'database', advice: expect.stringContaining('under a new id') as string },
    });
  }
});

test('after power cuts, snapshots are those that were acknowledged, and one under way whole or not at all', async () => {
  const random = seededRandom(SEED);
  let through = 0;
  for (let life = 0; life < 10; life++) {
    const path = tempDirectory();
    const disk = new VolatileFiles(join(path, 'snapshots'));
    const store = await openTemp({ path }, { files: disk.files });
    const made: { readonly index: number; readonly begun: number; readonly acknowledged: number }[] = [];
    for (let index = 1; index <= 6; index++) {
      const begun = disk.moment;
      const bytes = Math.floor(random.next() * 200_000);
      await carryOut(store, { op: 'snapshot', index, term: 1, bytes, salt: index });
      // The old ones are removed after it counts: those are the last events of its making.
      made.push({ index, begun, acknowledged: disk.moment });
    }
    await store.close();
    const file = readFileSync(join(path, 'data.mdb'));
    for (let cut = 0; cut < 12; cut++) {
      const moment = Math.floor(random.next() * (disk.moment + 1));
      const left = directoryWith(file);
      disk.cut(moment, join(left, 'snapshots'), random);
      const { snapshots } = await contentsAt(left);
      const acknowledged = made.filter((one) => one.acknowledged <= moment).map(({ index }) => index);
      const begun = made.filter((one) => one.begun < moment).map(({ index }) => index);
      const newest = (of: readonly number[]): number[] => of.slice(-2).reverse();
      const found = snapshots.map(({ index }) => index);
      expect([newest(acknowledged), newest(begun)]).toContainEqual(found);
      if (begun.length > acknowledged.length && found[0] === begun.at(-1)) through++;
    }
  }
  expect(through).toBeGreaterThan(0);
});
