import { createHash } from 'node:crypto';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  DiscoveryDirectoryPartSchema,
  DiscoveryDirectorySchema,
  DiscoveryListingSchema,
  PullDiscoverySchema,
  type DiscoveryConsensusVote,
  type DiscoveryDirectory,
} from '@discovery-raft/protocol';
import { cutDirectory, DEFAULT_LIMITS, MIN_DIRECTORY_PART_BYTES, shortListingOf } from '@discovery-raft/psp-envelope';
import type { DiscoveryMessage, StoredDirectory } from '../src/index.js';
import { Cluster, START } from './fixtures/cluster.js';
import { makePacket, sha256, VERSION } from './fixtures/fake-crypto.js';

const LATER = START + 3600;
const SHORT_BYTES = 2000;
/** So small that the full directory needs parts and the short one does not. */
const LIMITS = { ...DEFAULT_LIMITS, maxMessageBytes: 18_000 };
const ITEMS = 100;

/** A cluster whose list is far over the limit of the short listing, up to just before its first round. */
async function large(size: number, limit: Partial<{ shortListingBytes: number }> = {}): Promise<Cluster> {
  const cluster = await Cluster.started(size, { shortListingBytes: SHORT_BYTES, ...limit });
  for (let k = 0; k < ITEMS; k++) {
    for (let i = 0; i < size; i++) await cluster.publish(i, makePacket({ name: `n${k}`, expiration: LATER }));
  }
  return cluster;
}

async function served(cluster: Cluster, i: number, limits = LIMITS): Promise<DiscoveryDirectory | undefined> {
  const pull = create(PullDiscoverySchema, { version: VERSION });
  const [message, ...rest] = [...(await cluster.node(i).consensus.answerPull(pull, limits))];
  expect(rest).toEqual([]);
  return message && fromBinary(DiscoveryDirectorySchema, Buffer.concat(message.body));
}

function parts(directory: DiscoveryDirectory, requestID: bigint): DiscoveryMessage[] {
  const whole = toBinary(DiscoveryDirectorySchema, directory);
  const digest = sha256(whole);
  const cut = cutDirectory(whole, { requestID, digest, partBytes: MIN_DIRECTORY_PART_BYTES });
  return [...cut].map((body) => ({ event: 'discoveryDirectoryPart', body }));
}

describe('a listing that deployed clients cannot take', () => {
  test('is signed in full and in short by everybody, and both are the same on every node', async () => {
    const cluster = await large(4);
    await cluster.runRound();
    const full = (await cluster.directory(0))!;
    expect(full.items).toBe(ITEMS);
    expect(full.directory.shortSignatures).toHaveLength(4);
    const short = await served(cluster, 0);
    const read = fromBinary(DiscoveryListingSchema, short!.directory);
    expect(short!.directory.length).toBeLessThanOrEqual(SHORT_BYTES);
    expect(read).toMatchObject({ fullItems: BigInt(ITEMS), fullDigest: full.digest, creation: BigInt(full.creation) });
    expect(read.items.length).toBeGreaterThan(2);
    for (const i of [1, 2, 3]) {
      expect((await cluster.directory(i))?.directory).toEqual(full.directory);
      expect(await served(cluster, i)).toEqual(short);
    }
    expect(short!.signatures).toEqual(full.directory.shortSignatures);
    for (const signature of short!.signatures) {
      await expect(
        cluster.node(0).verifier.verifySignature(signature, short!.directory, full.creation),
      ).resolves.toMatchObject({ ok: true });
    }
  });

  test('goes in parts to a client that takes them', async () => {
    const cluster = await large(3);
    await cluster.runRound();
    const pull = create(PullDiscoverySchema, { version: VERSION, requestID: 9n, maxDirectoryBytes: 1n << 30n });
    const limits = { ...LIMITS, maxMessageBytes: 18_000 };
    const messages = [...(await cluster.node(1).consensus.answerPull(pull, limits))];
    const contents = messages.map(({ body }) => fromBinary(DiscoveryDirectoryPartSchema, Buffer.concat(body)).content);
    expect(contents.length).toBeGreaterThan(1);
    const whole = fromBinary(DiscoveryDirectorySchema, Buffer.concat(contents));
    expect(whole).toEqual((await cluster.directory(1))!.directory);
  });

  test('is served in full where it fits after all', async () => {
    const cluster = await large(3);
    await cluster.runRound();
    expect(await served(cluster, 1, DEFAULT_LIMITS)).toEqual((await cluster.directory(1))!.directory);
  });

  test('without a round is served with the own signature over both', async () => {
    const cluster = await large(3);
    const short = await served(cluster, 2);
    expect(short!.signatures).toHaveLength(1);
    expect(short!.directory.length).toBeLessThanOrEqual(SHORT_BYTES);
  });

  test('a listing that fits has no short one, and none is signed', async () => {
    const cluster = await large(3, { shortListingBytes: 1_000_000 });
    await cluster.runRound();
    expect((await cluster.directory(1))!.directory.shortSignatures).toEqual([]);
    expect(await served(cluster, 1)).toBeUndefined();
    const votes = cluster.sent.filter(({ message }) => message.event === 'discoveryConsensusVote');
    expect(votes.every(({ message }) => (message.body as DiscoveryConsensusVote).shortSignature === undefined)).toBe(
      true,
    );
  });
});

describe('the short listing never costs a round its directory', () => {
  test.each<[string, (vote: DiscoveryConsensusVote) => DiscoveryConsensusVote]>([
    ['voters without the extension', (vote) => ({ ...vote, shortSignature: undefined })],
    ['voters that sign something else', (vote) => ({ ...vote, shortSignature: vote.signature! })],
  ])('%s', async (_, change) => {
    const cluster = await large(4);
    cluster.intercept = (_from, _to, message) =>
      message.event === 'discoveryConsensusVote' ? { ...message, body: change(message.body) } : message;
    await cluster.runRound();
    const directory = (await cluster.directory(2))!;
    expect(directory.directory.signatures).toHaveLength(4);
    expect(directory.directory.shortSignatures).toEqual([]);
    expect(await served(cluster, 2)).toBeUndefined();
  });

  test('a leader that names another short listing gets no signature over its own', async () => {
    const cluster = await large(4);
    cluster.intercept = (_from, _to, message) =>
      message.event === 'discoveryRequestConsensusVote'
        ? { ...message, body: { ...message.body, shortDigest: new Uint8Array(32) } }
        : message;
    await cluster.runRound();
    expect((await cluster.directory(0))!.directory.signatures).toHaveLength(4);
    expect((await cluster.directory(0))!.directory.shortSignatures).toEqual([]);
  });

  test('one voter without the extension leaves a quorum of the others', async () => {
    const cluster = await large(4);
    cluster.intercept = (from, _to, message) => {
      if (message.event !== 'discoveryConsensusVote' || from !== cluster.node(3).id) return message;
      const body = { ...message.body };
      delete body.shortSignature;
      return { ...message, body };
    };
    await cluster.runRound();
    expect((await cluster.directory(3))!.directory.signatures).toHaveLength(4);
    expect((await served(cluster, 3))!.signatures).toHaveLength(3);
  });

  test('a final set with forged signatures over the short listing publishes the full one alone', async () => {
    const cluster = await large(4);
    cluster.intercept = (_from, to, message) =>
      message.event === 'discoveryFinalConsensus' && to === cluster.node(1).id
        ? { ...message, body: { ...message.body, shortSignatures: message.body.signatures } }
        : message;
    await cluster.runRound();
    expect((await cluster.directory(1))!.directory.shortSignatures).toEqual([]);
    expect((await cluster.directory(2))!.directory.shortSignatures).toHaveLength(4);
    expect(cluster.node(1).consensus.counters.refusals.badSignature).toBeGreaterThan(0);
  });
});

describe('a node that was away', () => {
  /** Node 3 missed the round; what it asks for is known, and nobody answers it. */
  async function behind(): Promise<{ cluster: Cluster; newest: StoredDirectory; requestID: bigint }> {
    const cluster = await large(4);
    const old = new Set(['discoveryFinalConsensus', 'discoveryDirectory', 'discoveryDirectoryPart']);
    cluster.intercept = (_from, to, message) =>
      to === cluster.node(3).id && old.has(message.event) ? undefined : message;
    await cluster.runRound();
    cluster.sent.length = 0;
    await cluster.node(3).consensus.recover();
    const asked = cluster.sent.find(({ message }) => message.event === 'pullDiscovery')!.message;
    if (asked.event !== 'pullDiscovery') throw new Error('it asks for something else');
    expect(asked.body.maxDirectoryBytes).toBeGreaterThan(0n);
    return { cluster, newest: (await cluster.directory(0))!, requestID: asked.body.requestID };
  }

  test('gets the directory from a peer with what makes the short one', async () => {
    const { cluster, newest } = await behind();
    cluster.intercept = (_from, _to, message) => message;
    await cluster.node(3).consensus.recover();
    await cluster.time.advance(1);
    expect((await cluster.directory(3))!.directory).toEqual(newest.directory);
    expect(await served(cluster, 3)).toEqual(await served(cluster, 0));
  });

  test('takes it in parts', async () => {
    const { cluster, newest, requestID } = await behind();
    const from = cluster.node(1).id;
    const messages = parts(newest.directory, requestID);
    expect(messages.length).toBeGreaterThan(1);
    for (const message of messages) {
      await expect(cluster.node(3).consensus.onMessage(from, message)).resolves.toEqual({ ok: true });
    }
    expect((await cluster.directory(3))!.directory).toEqual(newest.directory);
  });

  test('hears that a peer has nothing', async () => {
    const { cluster, requestID } = await behind();
    const nothing = create(DiscoveryDirectoryPartSchema, { requestID });
    await expect(
      cluster.node(3).consensus.onMessage(cluster.node(1).id, { event: 'discoveryDirectoryPart', body: nothing }),
    ).resolves.toEqual({ ok: true });
  });

  test('refuses parts that it did not ask for, out of order, and of another directory', async () => {
    const { cluster, newest, requestID } = await behind();
    const from = cluster.node(1).id;
    const say = (message: DiscoveryMessage) => cluster.node(3).consensus.onMessage(from, message);
    const [unasked] = parts(newest.directory, requestID + 1n);
    await expect(say(unasked!)).resolves.toMatchObject({ code: 'staleDirectory' });
    const good = parts(newest.directory, requestID);
    await expect(say(good[1]!)).resolves.toMatchObject({ code: 'malformed' });
    await expect(say(good[0]!)).resolves.toEqual({ ok: true });
    await expect(say(good.at(-1)!)).resolves.toEqual({ ok: true });
    const forged = parts({ ...newest.directory, signatures: newest.directory.shortSignatures }, requestID);
    for (const message of forged.slice(0, -1)) await say(message);
    await expect(say(forged.at(-1)!)).resolves.toMatchObject({ ok: false });
  });

  test('and a forged set over the short listing is not kept', async () => {
    const { cluster, newest, requestID } = await behind();
    const forged = { ...newest.directory, shortSignatures: newest.directory.signatures };
    for (const message of parts(forged, requestID))
      await cluster.node(3).consensus.onMessage(cluster.node(1).id, message);
    expect((await cluster.directory(3))!.directory.shortSignatures).toEqual([]);
    expect((await cluster.directory(3))!.items).toBe(ITEMS);
  });
});

test('a member that asks again and again, and takes nothing, is given one answer at a time, and the last one in the end', async () => {
  const cluster = await large(3);
  await cluster.runRound();
  const [asking, asked] = [cluster.node(1).id, cluster.node(0)];
  let goOn: () => void = () => undefined;
  const stalled = new Promise<void>((resolve) => (goOn = resolve));
  cluster.stall = (from, to) => (from === asked.id && to === asking ? stalled : undefined);
  cluster.sent.length = 0;
  const pull = (requestID: bigint) => {
    const body = create(PullDiscoverySchema, { version: VERSION, requestID, maxDirectoryBytes: 1n << 26n });
    return asked.consensus.onMessage(asking, { event: 'pullDiscovery', body });
  };
  const pulls = [pull(100n)];
  await cluster.time.advance(1);
  for (let i = 1n; i < 50n; i++) pulls.push(pull(100n + i));
  await cluster.time.advance(1);
  const answers = (): readonly DiscoveryMessage[] =>
    cluster.sent.filter(({ to }) => to === asking).map(({ message }) => message);
  expect(answers()).toHaveLength(1);
  goOn();
  await Promise.all(pulls);
  // The directory goes in one message here: that of the first pull, and that of the last.
  expect(answers().map(({ event }) => event)).toEqual(['discoveryDirectory', 'discoveryDirectory']);
});

test('the short listing of a stored directory can be made again from it', async () => {
  const cluster = await large(3);
  await cluster.runRound();
  const { directory } = (await cluster.directory(1))!;
  const again = shortListingOf(directory.directory, {
    maxBytes: SHORT_BYTES,
    sha256: (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest()),
  });
  expect((await served(cluster, 1))!.directory).toEqual(again!.bytes);
  await cluster.restart(1);
  expect((await served(cluster, 1))!.directory).toEqual(again!.bytes);
});
