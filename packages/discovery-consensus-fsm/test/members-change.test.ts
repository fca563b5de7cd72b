import { create } from '@bufbuild/protobuf';
import { DiscoveryFinalConsensusSchema, type DiscoverySignature } from '@discovery-raft/protocol';
import type { RootPromise, Roster } from '../src/index.js';
import { placesOf, rosterAt } from '../src/policy/committee.js';
import { promiseForbids, promiseRefusal } from '../src/policy/root-promise.js';
import { Cluster, START } from './fixtures/cluster.js';
import { makePacket, sha256, VERSION } from './fixtures/fake-crypto.js';

const LATER = START + 3600;
const ALL = [0, 1, 2, 3];

async function publishAt(cluster: Cluster, nodes: readonly number[], name: string): Promise<void> {
  for (const i of nodes) {
    expect((await cluster.publish(i, makePacket({ name, expiration: LATER }))).code).toBe('accepted');
  }
  await cluster.time.advance(1);
}

/** Signs a root that a test made up. */
function promiseOf({ version, activation }: Roster, text = 'root'): { promise: RootPromise; bytes: Uint8Array } {
  const bytes = new TextEncoder().encode(`${text} ${version}`);
  return { promise: { version, activation, digest: sha256(bytes) }, bytes };
}

describe('a node that is added', () => {
  test('attests and listens before its root is in force, and is in the quorum of the first round after', async () => {
    const cluster = await Cluster.started(4, {}, 3);
    await publishAt(cluster, [0, 1, 2], 'a');
    await cluster.runRound();
    expect((await cluster.directory(0))?.directory.signatures).toHaveLength(3);
    expect(cluster.node(3).rounds).toEqual([]);

    const roster = cluster.nextRoster(2, ALL);
    cluster.learn(roster, ALL.toReversed());
    await publishAt(cluster, [3], 'b');
    await cluster.runRound();
    expect((await cluster.directory(0))?.directory.signatures).toHaveLength(3);
    // The new node takes the result in, though it does not vote yet.
    expect((await cluster.directory(3))?.round).toBe((await cluster.directory(0))?.round);

    await cluster.runRound();
    const directory = await cluster.directory(0);
    expect(directory).toMatchObject({ creation: roster.activation, items: 2 });
    expect(directory?.directory.signatures).toHaveLength(4);
    expect(cluster.node(0).consensus.committee).toMatchObject({ version: 2, quorum: 3, attestationsNeeded: 2 });
  });

  test('a stranger stays one until a root names it', async () => {
    const cluster = await Cluster.started(4, {}, 3);
    await publishAt(cluster, [3], 'b');
    expect(cluster.handled).toContainEqual(
      expect.objectContaining({ handled: expect.objectContaining({ code: 'unknownPeer' }) as unknown }),
    );
    expect(cluster.node(0).list.view().size).toBe(0);
  });
});

describe('a node that is removed', () => {
  test('is asked no more, and neither its signature nor its attestations count', async () => {
    const cluster = await Cluster.started(4);
    cluster.intercept = (_from, _to, message) =>
      message.event === 'discoveryRequestAttestation' ? undefined : message;
    await publishAt(cluster, [3], 'x');
    await publishAt(cluster, [1, 2], 'b');
    cluster.learn(cluster.nextRoster(1, [0, 1, 2]), ALL.toReversed());
    await cluster.runRound();
    const directory = await cluster.directory(1);
    expect(directory?.directory.signatures).toHaveLength(3);
    // Two of three are needed: the leader's word alone is not enough, and the other one counts no more.
    expect(directory?.items).toBe(1);
    expect(cluster.node(3).rounds).toEqual([]);
  });

  test('that leads can have no round', async () => {
    const cluster = await Cluster.started(4);
    cluster.learn(cluster.nextRoster(1, [1, 2, 3]), ALL.toReversed());
    await cluster.runRound();
    expect(cluster.node(0).rounds.at(-1)).toMatchObject({
      published: false,
      reason: 'not a node of trust root 2',
    });
    await cluster.elect(1);
    await cluster.runRound();
    expect((await cluster.directory(2))?.directory.signatures).toHaveLength(3);
  });
});

describe('nodes that know different roots', () => {
  test('a voter that lacks the root says so, asks for it, and votes in the same round', async () => {
    const cluster = await Cluster.started(3);
    await publishAt(cluster, [0, 1, 2], 'a');
    cluster.learn(
      cluster.nextRoster(1, [0, 1, 2]),
      [2, 1, 0].filter((i) => i !== 2),
    );
    await cluster.runRound();
    expect(cluster.rostersOf(2).asked).toEqual([cluster.node(0).id]);
    expect(cluster.node(2).consensus.counters).toMatchObject({ votesNotReady: 1, votesYes: 1 });
    expect((await cluster.directory(2))?.directory.signatures).toHaveLength(3);
  });

  test('a leader that lacks the root gets no directory, is told of it, and leads the next round by it', async () => {
    const cluster = await Cluster.started(3);
    await publishAt(cluster, [0, 1, 2], 'a');
    cluster.learn(cluster.nextRoster(1, [0, 1, 2]), [1, 2]);
    await cluster.runRound();
    expect(cluster.node(0).rounds.at(-1)).toMatchObject({
      published: false,
      reason: expect.stringContaining('rootOutdated') as string,
    });
    await cluster.runRound();
    expect(cluster.node(0).rounds.at(-1)).toMatchObject({ published: true, signatures: 3 });
  });

  test('a leader that hides the new root gets no signature: the listing itself names its root', async () => {
    const cluster = await Cluster.started(3);
    await publishAt(cluster, [0, 1, 2], 'a');
    for (const i of [1, 2]) cluster.rostersOf(i).onOutdated = () => undefined;
    cluster.learn(cluster.nextRoster(1, [0, 1, 2]), [1, 2]);
    cluster.intercept = (_from, _to, message) =>
      message.event === 'discoveryRequestConsensusVote'
        ? { event: message.event, body: { ...message.body, rootVersion: 0n } }
        : message;
    await cluster.runRound();
    expect(cluster.node(0).rounds.at(-1)).toMatchObject({
      published: false,
      reason: expect.stringContaining('digestMismatch') as string,
    });
    expect(cluster.node(1).store.signed).toBeNull();
  });

  test('a voter that learns the root after its vote counts its own signature for what it signed, not for what the new root makes of it', async () => {
    const cluster = await Cluster.started(4);
    await publishAt(cluster, ALL, 'a');
    const [leader, voter] = [cluster.node(0).id, cluster.node(3)];
    cluster.intercept = (_from, to, message) =>
      message.event === 'discoveryFinalConsensus' && to === voter.id ? undefined : message;
    await cluster.toNextSlot();
    await cluster.time.advance(1);
    const own = cluster.sent.find(
      ({ from, message }) => from === voter.id && message.event === 'discoveryConsensusVote',
    )!.message;
    const mine = own.event === 'discoveryConsensusVote' ? own.body.signature! : undefined;

    const roster = cluster.nextRoster(0, ALL);
    cluster.learn(roster, [3]);
    const { bytes, digest } = await voter.consensus.getFullListForPublication(roster.activation);
    const others = await Promise.all([0, 1].map((i) => cluster.node(i).signer.sign(bytes)));
    const final = (signatures: readonly DiscoverySignature[]) =>
      create(DiscoveryFinalConsensusSchema, {
        ...{ version: VERSION, round: BigInt(voter.consensus.machine.round!), listDigest: digest },
        signatures: [...signatures],
      });
    // Three signatures make a directory, and this one of the three is over the listing of the old root.
    await voter.consensus.onReceivedFinalConsensus(leader, final([...others, mine!]));
    await cluster.time.advance(1);
    expect(voter.rounds.at(-1)).toMatchObject({ published: false, reason: 'quorumMissing: 2 of 3' });
    expect(voter.store.directory).toBeNull();
  });

  test('a node that is cut off from the news serves no directory that the new root did not decide', async () => {
    const cluster = await Cluster.started(4);
    await publishAt(cluster, ALL, 'a');
    cluster.rostersOf(3).onMissing = () => undefined;
    cluster.learn(cluster.nextRoster(1, [0, 1, 2]), [2, 1, 0]);
    await cluster.runRound();
    expect((await cluster.directory(0))?.directory.signatures).toHaveLength(3);
    // Three signatures are the quorum of four as well, but of other nodes only by chance: it was asked nothing.
    expect(cluster.node(3).consensus.counters.votesYes).toBe(0);
  });
});

describe('a signature on a trust root', () => {
  test('keeps a node from signing by the old root from the activation on, also after a restart', async () => {
    const cluster = await Cluster.started(3);
    await publishAt(cluster, [0, 1, 2], 'a');
    const { promise, bytes } = promiseOf(cluster.nextRoster(2, [0, 1, 2]));
    for (const i of [1, 2]) {
      const signed = await cluster.node(i).consensus.signTrustRoot(promise, bytes);
      expect(signed.ok).toBe(true);
    }
    expect(cluster.node(1).store.promise).toEqual(promise);
    // Before the activation the old root decides as ever.
    await cluster.runRound();
    expect(cluster.node(0).rounds.at(-1)).toMatchObject({ published: true });

    cluster.crash(1);
    await cluster.restart(1);
    await cluster.runRound();
    expect(cluster.node(0).rounds.at(-1)?.reason).toContain(`${cluster.node(1).id}: no rootPromised`);
    expect(cluster.node(0).rounds.at(-1)).toMatchObject({ published: false });

    // The root itself sets it free.
    cluster.learn({ ...cluster.nextRoster(2, [0, 1, 2]), activation: promise.activation }, [2, 1, 0]);
    await cluster.runRound();
    expect(cluster.node(0).rounds.at(-1)).toMatchObject({ published: true, signatures: 3 });
  });

  test('is given to one successor of a root, and to that one again', async () => {
    const cluster = await Cluster.started(3);
    const { consensus } = cluster.node(1);
    const roster = cluster.nextRoster(2, [0, 1, 2]);
    const [one, other] = [promiseOf(roster, 'one'), promiseOf(roster, 'other')];
    const first = await consensus.signTrustRoot(one.promise, one.bytes);
    expect(await consensus.signTrustRoot(one.promise, one.bytes)).toEqual(first);
    expect(await consensus.signTrustRoot(other.promise, other.bytes)).toEqual({ ok: false, reason: 'alreadyPromised' });
    cluster.crash(1);
    await cluster.restart(1);
    expect(await cluster.node(1).consensus.signTrustRoot(other.promise, other.bytes)).toMatchObject({
      reason: 'alreadyPromised',
    });
    expect(cluster.node(1).consensus.rootPromise).toEqual(one.promise);
  });

  test('does not exist before the promise is on disk, and a failed write counts as a promise', async () => {
    const cluster = await Cluster.started(3);
    const node = cluster.node(1);
    const roster = cluster.nextRoster(2, [0, 1, 2]);
    const [one, other] = [promiseOf(roster, 'one'), promiseOf(roster, 'other')];
    node.store.failing = true;
    expect(await node.consensus.signTrustRoot(one.promise, one.bytes)).toEqual({ ok: false, reason: 'storeFailed' });
    node.store.failing = false;
    expect(await node.consensus.signTrustRoot(other.promise, other.bytes)).toMatchObject({ reason: 'alreadyPromised' });
    expect(await node.consensus.signTrustRoot(one.promise, one.bytes)).toMatchObject({ ok: true });
    expect(node.store.promise).toEqual(one.promise);
  });

  test('is refused for what comes too late, or on top of a root that is not in force', () => {
    const digest = new Uint8Array(32);
    const facts = { held: null, presentVersion: 1, lastCreation: undefined, now: 100 };
    const promise = { version: 2, activation: 200, digest };
    expect(promiseRefusal(promise, facts)).toBeUndefined();
    expect(promiseRefusal({ ...promise, activation: 100 }, facts)).toBe('tooLate');
    expect(promiseRefusal(promise, { ...facts, lastCreation: 200 })).toBe('tooLate');
    expect(promiseRefusal({ ...promise, version: 3 }, facts)).toBe('notInForce');
    expect(promiseRefusal(promise, { ...facts, presentVersion: 2 })).toBe('notInForce');
    expect(promiseRefusal(promise, { ...facts, held: { ...promise, version: 3 } })).toBe('stalePromise');
  });

  test('forbids older roots from its activation on, and roots before the last one at any time', () => {
    const promise = { version: 3, activation: 200, digest: new Uint8Array(32) };
    const forbidden = [1, 2, 3, 4].map((version) => [
      promiseForbids(promise, version, 199),
      promiseForbids(promise, version, 200),
    ]);
    expect(forbidden).toEqual([
      [true, true],
      [false, true],
      [false, false],
      [false, false],
    ]);
    expect(promiseForbids(null, 1, 200)).toBe(false);
  });
});

describe('rosters', () => {
  const roster = (version: number, activation: number, ...names: string[]): Roster => ({
    ...{ version, activation },
    members: names.map((identity) => ({ identity })),
  });
  const rosters = [roster(1, 0, 'b', 'a'), roster(2, 100, 'a', 'c'), roster(3, 100, 'c', 'd', '0')];

  test('the newest that is active decides', () => {
    expect([-1, 0, 99, 100, 101].map((at) => rosterAt(rosters, at).version)).toEqual([1, 1, 1, 3, 3]);
  });

  test('every node ever named has a place of its own, the same for who knows fewer versions', () => {
    expect(placesOf(rosters)).toEqual(['a', 'b', 'c', '0', 'd']);
    expect(placesOf(rosters.slice(0, 2))).toEqual(['a', 'b', 'c']);
  });
});
