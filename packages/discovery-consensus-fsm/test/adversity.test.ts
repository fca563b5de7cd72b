import { create } from '@bufbuild/protobuf';
import {
  DiscoveryConsensusVoteSchema,
  DiscoveryConsensusVote_voteVerdict as WireVerdict,
  DiscoveryFinalConsensusSchema,
} from '@discovery-raft/protocol';
import type {
  DiscoveryConsensusVote,
  DiscoveryRequestConsensusVote,
  DiscoverySignature,
} from '@discovery-raft/protocol';
import type { DiscoveryMessage } from '../src/index.js';
import { Cluster, SLOT, START } from './fixtures/cluster.js';
import { identityOf, makePacket } from './fixtures/fake-crypto.js';

const LATER = START + 3600;

async function publishEverywhere(cluster: Cluster, names: readonly string[], expiration = LATER): Promise<void> {
  for (const name of names) {
    for (let i = 0; i < cluster.nodes.length; i++) {
      const outcome = await cluster.publish(i, makePacket({ name, expiration }));
      expect(outcome.code).toBe('accepted');
    }
  }
  await cluster.time.advance(1);
}

/** Changes the vote requests that go to some nodes. */
function changeRequests(
  cluster: Cluster,
  change: (request: DiscoveryRequestConsensusVote) => DiscoveryRequestConsensusVote,
  to: (id: string) => boolean = () => true,
): void {
  cluster.intercept = (_from, target, message) =>
    message.event === 'discoveryRequestConsensusVote' && to(target)
      ? { event: message.event, body: change(message.body) }
      : message;
}

/** Changes the votes of some nodes. */
function changeVotes(
  cluster: Cluster,
  from: number,
  change: (vote: DiscoveryConsensusVote) => DiscoveryConsensusVote | undefined,
): void {
  cluster.intercept = (source, _to, message): DiscoveryMessage | undefined => {
    if (message.event !== 'discoveryConsensusVote' || source !== cluster.node(from).id) return message;
    const body = change(message.body);
    return body === undefined ? undefined : { event: message.event, body };
  };
}

function signedByAll(cluster: Cluster, bytes: Uint8Array): Promise<DiscoverySignature[]> {
  return Promise.all(cluster.nodes.map(({ signer }) => signer.sign(bytes)));
}

describe('a bad leader', () => {
  test('that omits items gets no vote, raises an alarm, and the next leader lists them', async () => {
    const cluster = await Cluster.started(4);
    await publishEverywhere(cluster, ['a', 'b', 'c', 'd']);
    const hidden = [identityOf('a'), identityOf('b')];
    await cluster.time.advance(10);
    for (const identity of hidden) cluster.log.push({ kind: 'delete', identity });
    await cluster.runRound();
    expect(cluster.node(0).rounds.at(-1)).toMatchObject({
      published: false,
      reason: expect.stringContaining('ownEntriesMissing') as string,
    });
    for (let i = 1; i < 4; i++) expect(cluster.node(i).consensus.counters.alarms.entriesOmitted).toBe(1);

    // The members still have what they accepted: they send it again, and nobody has to publish anew.
    await cluster.elect(1);
    await cluster.runRound();
    await expect(cluster.directory(2)).resolves.toMatchObject({ items: 4, round: START / SLOT + 2 });
  });

  test('that names a wrong digest gets NO with a reason', async () => {
    const cluster = await Cluster.started(3);
    await publishEverywhere(cluster, ['a']);
    changeRequests(cluster, (request) => ({ ...request, listDigest: new Uint8Array(32) }));
    await cluster.runRound();
    expect(cluster.node(0).rounds.at(-1)).toMatchObject({
      published: false,
      reason: expect.stringContaining('digestMismatch') as string,
    });
    expect(cluster.node(1).store.signed).toBeNull();
  });

  test('that shows two followers different listings gets at most one directory', async () => {
    const cluster = await Cluster.started(4);
    await publishEverywhere(cluster, ['a']);
    const victim = cluster.node(3).id;
    changeRequests(
      cluster,
      (request) => ({ ...request, listDigest: new Uint8Array(32).fill(9) }),
      (id) => id === victim,
    );
    await cluster.runRound();
    const digests = new Set(
      (await Promise.all([0, 1, 2, 3].map((i) => cluster.directory(i)))).map((directory) =>
        Buffer.from(directory!.digest).toString('hex'),
      ),
    );
    expect(digests.size).toBe(1);
    await expect(cluster.directory(3)).resolves.toMatchObject({ round: START / SLOT + 1 });
  });

  test('that asks twice in a round for different listings is found out, and gets one signature', async () => {
    const cluster = await Cluster.started(3);
    await publishEverywhere(cluster, ['a']);
    let first: DiscoveryRequestConsensusVote | undefined;
    changeRequests(cluster, (request) => (first = request));
    cluster.lagging.add(cluster.node(2).id);
    await cluster.toNextSlot();
    await cluster.time.advanceUntil(() => cluster.node(1).consensus.counters.votesYes === 1, 5);
    expect(cluster.node(1).consensus.state).toBe('FollowerConsensusVote');
    const body = { ...first!, listDigest: new Uint8Array(32).fill(1) };
    const handled = await cluster.node(1).consensus.onReceivedRequestConsensusVote(cluster.node(0).id, body);
    expect(handled).toMatchObject({ ok: false, code: 'equivocation' });
    expect(cluster.node(1).consensus.counters.alarms.leaderEquivocated).toBe(1);
    expect(cluster.node(1).consensus.counters).toMatchObject({ votesYes: 1, votesNo: 1 });
  });

  test('that names a round far ahead does not push the round counter ahead', async () => {
    const cluster = await Cluster.started(3);
    await publishEverywhere(cluster, ['a']);
    const leader = cluster.node(0).id;
    const final = create(DiscoveryFinalConsensusSchema, { version: 'xpx-discovery-1.0', round: 2n ** 50n });
    await expect(cluster.node(1).consensus.onReceivedFinalConsensus(leader, final)).resolves.toMatchObject({
      code: 'wrongRound',
    });
    changeRequests(cluster, (request) => ({ ...request, creation: request.creation + 60_000n, round: 2n ** 40n }));
    await cluster.runRound();
    expect(cluster.node(1).consensus.machine.lastRound).toBe(0);
    cluster.intercept = (_from, _to, message) => message;
    await cluster.runRound();
    await expect(cluster.directory(1)).resolves.toMatchObject({ items: 1 });
  });

  test('that sends a final set without a quorum of good signatures publishes nothing', async () => {
    const cluster = await Cluster.started(4);
    await publishEverywhere(cluster, ['a']);
    cluster.intercept = (_from, to, message) => {
      if (message.event === 'discoveryDirectory') return undefined;
      if (message.event !== 'discoveryFinalConsensus' || to !== cluster.node(1).id) return message;
      const [one, two] = message.body.signatures;
      const forged = { ...two!, signature: new Uint8Array(64) };
      return { event: message.event, body: { ...message.body, signatures: [one!, one!, two!, forged] } };
    };
    await cluster.runRound();
    await expect(cluster.directory(1)).resolves.toMatchObject({ round: 0 });
    expect(cluster.node(1).rounds.at(-1)?.reason).toContain('quorumMissing: 2 of 3');
    expect(cluster.node(1).consensus.counters.refusals.badSignature).toBe(2);
    await expect(cluster.directory(2)).resolves.toMatchObject({ items: 1 });
  });

  test('whose result does not arrive is asked for the directory', async () => {
    const cluster = await Cluster.started(3);
    await publishEverywhere(cluster, ['a']);
    const victim = cluster.node(2).id;
    cluster.intercept = (_from, to, message) =>
      message.event === 'discoveryFinalConsensus' && to === victim ? undefined : message;
    await cluster.runRound();
    await expect(cluster.directory(2)).resolves.toMatchObject({ items: 1, round: START / SLOT + 1 });
  });

  test('whose vote request gets lost can still send a result', async () => {
    const cluster = await Cluster.started(3);
    await publishEverywhere(cluster, ['a']);
    const victim = cluster.node(2).id;
    cluster.intercept = (_from, to, message) =>
      to === victim && ['discoveryRequestConsensusVote', 'discoveryDirectory'].includes(message.event)
        ? undefined
        : message;
    await cluster.runRound();
    await expect(cluster.directory(2)).resolves.toMatchObject({ items: 1, round: START / SLOT + 1 });
    expect(cluster.node(2).rounds).toEqual([expect.objectContaining({ published: true, signatures: 2 })]);
  });
});

describe('bad voters', () => {
  test.each([3, 4, 7])('up to f of %i that send garbage stop no round', async (size) => {
    const cluster = await Cluster.started(size);
    await publishEverywhere(cluster, ['a']);
    const liars = new Set(cluster.nodes.slice(-Math.max(1, Math.floor((size - 1) / 3))).map((node) => node.id));
    cluster.intercept = (from, _to, message) => {
      if (message.event !== 'discoveryConsensusVote' || !liars.has(from)) return message;
      const body = { ...message.body };
      if (body.signature !== undefined) body.signature = { ...body.signature, signature: new Uint8Array(64) };
      return { event: message.event, body };
    };
    await cluster.runRound();
    await expect(cluster.directory(1)).resolves.toMatchObject({ items: 1 });
    expect(cluster.node(0).consensus.counters.refusals.badSignature).toBe(liars.size);
  });

  test('a voter that says NO again and again does not hold a round up', async () => {
    const cluster = await Cluster.started(4);
    await publishEverywhere(cluster, ['a']);
    changeVotes(cluster, 3, () => undefined);
    await cluster.toNextSlot();
    await cluster.time.advanceUntil(() => cluster.node(3).consensus.state === 'FollowerConsensusVote', 5);
    const fields = { version: 'xpx-discovery-1.0', round: BigInt(START / SLOT + 1), verdict: WireVerdict.no };
    const body = create(DiscoveryConsensusVoteSchema, fields);
    for (let i = 0; i < 10; i++) {
      cluster.deliver(cluster.node(3).id, cluster.node(0).id, { event: 'discoveryConsensusVote', body });
      await cluster.time.advance(0.1);
    }
    expect(cluster.node(0).rounds.at(-1)).toMatchObject({ published: true, signatures: 3 });
  });

  test('one YES of a member is looked at in a round', async () => {
    const cluster = await Cluster.started(4);
    await publishEverywhere(cluster, ['a']);
    let sent: DiscoveryConsensusVote | undefined;
    changeVotes(cluster, 3, (vote) => {
      sent = { ...vote, signature: { ...vote.signature!, signature: new Uint8Array(64) } };
      return undefined;
    });
    cluster.lagging.add(cluster.node(2).id);
    cluster.lagging.add(cluster.node(1).id);
    await cluster.toNextSlot();
    await cluster.time.advanceUntil(() => sent !== undefined, 5);
    const { consensus, verifier } = cluster.node(0);
    const before = verifier.signatures;
    const codes = [];
    for (let i = 0; i < 5; i++) {
      const handled = await consensus.onReceivedConsensusVote(cluster.node(3).id, sent!);
      codes.push(handled.ok ? 'ok' : handled.code);
    }
    expect(codes).toEqual(['badSignature', ...Array<string>(4).fill('duplicateVote')]);
    expect(verifier.signatures).toBe(before + 1);
  });

  test('a replayed vote of an older round is refused', async () => {
    const cluster = await Cluster.started(4);
    await publishEverywhere(cluster, ['a']);
    let old: DiscoveryConsensusVote | undefined;
    changeVotes(cluster, 1, (vote) => (old ??= vote));
    await cluster.runRound();
    await cluster.runRound();
    expect(cluster.node(0).consensus.counters.refusals.wrongRound).toBe(1);
    // Said to be of this round, the signature is still over other bytes.
    changeVotes(cluster, 1, (vote) => ({ ...old!, round: vote.round }));
    await cluster.runRound();
    expect(cluster.node(0).consensus.counters.refusals.badSignature).toBe(1);
    expect(cluster.node(0).rounds.map((round) => round.signatures)).toEqual([4, 3, 3]);
  });

  test('a vote with another member’s signature is refused', async () => {
    const cluster = await Cluster.started(4);
    await publishEverywhere(cluster, ['a']);
    let stolen: DiscoveryConsensusVote | undefined;
    cluster.intercept = (from, _to, message) => {
      if (message.event !== 'discoveryConsensusVote') return message;
      if (from === cluster.node(1).id) stolen = message.body;
      return {
        event: message.event,
        body: from === cluster.node(2).id && stolen !== undefined ? stolen : message.body,
      };
    };
    await cluster.runRound();
    expect(cluster.node(0).consensus.counters.refusals.wrongSigner).toBe(1);
    expect(cluster.node(0).rounds.at(-1)).toMatchObject({ published: true, signatures: 3 });
  });

  test('a late vote, one of another round and one of a stranger are refused', async () => {
    const cluster = await Cluster.started(3);
    await publishEverywhere(cluster, ['a']);
    let vote: DiscoveryConsensusVote | undefined;
    changeVotes(cluster, 1, (sent) => {
      vote = sent;
      return undefined;
    });
    await cluster.runRound();
    expect(cluster.node(0).rounds.at(-1)).toMatchObject({ published: true, signatures: 2 });
    const leader = cluster.node(0).consensus;
    await expect(leader.onReceivedConsensusVote(cluster.node(1).id, vote!)).resolves.toMatchObject({
      code: 'lateVote',
    });
    await expect(leader.onReceivedConsensusVote('stranger', vote!)).resolves.toMatchObject({ code: 'unknownPeer' });
    await expect(
      cluster.node(1).consensus.onReceivedConsensusVote(leader.machine.leaderId!, vote!),
    ).resolves.toMatchObject({ code: 'notLeading' });
    await cluster.toNextSlot();
    await cluster.time.advanceUntil(
      () => leader.state === 'LeaderConsensusCalc' && cluster.messages('discoveryRequestConsensusVote') > 2,
      5,
    );
    await expect(leader.onReceivedConsensusVote(cluster.node(1).id, vote!)).resolves.toMatchObject({
      code: 'wrongRound',
    });
  });

  test('explicit refusals end a round long before the deadline', async () => {
    const cluster = await Cluster.started(3);
    await publishEverywhere(cluster, ['a']);
    cluster.intercept = (_from, _to, message) => {
      if (message.event !== 'discoveryConsensusVote') return message;
      const { version, round } = message.body;
      const body = create(DiscoveryConsensusVoteSchema, { version, round, verdict: WireVerdict.no, reason: 'why not' });
      return { event: message.event, body };
    };
    await cluster.toNextSlot();
    expect(await cluster.time.advanceUntil(() => cluster.node(0).rounds.length === 1, 1)).toBe(true);
    expect(cluster.node(0).rounds[0]).toMatchObject({ published: false });
  });

  test('a voter whose log stands still says NOT_READY', async () => {
    const cluster = await Cluster.started(3);
    await publishEverywhere(cluster, ['a']);
    cluster.lagging.add(cluster.node(2).id);
    await cluster.toNextSlot();
    await cluster.time.advance(9.5);
    expect(cluster.node(2).consensus.counters.votesNotReady).toBe(1);
    expect(cluster.node(0).rounds.at(-1)).toMatchObject({ published: true, signatures: 2 });
    cluster.resume(2);
    await cluster.time.advance(20);
    await expect(cluster.directory(2)).resolves.toMatchObject({ items: 1 });
  });

  test('a voter waits for verdicts that are out, and says NOT_READY when they stay out', async () => {
    const cluster = await Cluster.started(3);
    let open: () => void = () => undefined;
    cluster.node(2).verifier.gate = new Promise((resolve) => (open = resolve));
    await cluster.publish(0, makePacket({ name: 'a', expiration: LATER }));
    await cluster.publish(1, makePacket({ name: 'a', expiration: LATER }));
    await cluster.toNextSlot();
    await cluster.time.advance(5);
    open();
    await cluster.time.advance(1);
    expect(cluster.node(2).consensus.counters.votesYes).toBe(1);
    cluster.node(2).verifier.gate = new Promise(() => undefined);
    await cluster.publish(0, makePacket({ name: 'b', expiration: LATER }));
    await cluster.publish(1, makePacket({ name: 'b', expiration: LATER }));
    await cluster.toNextSlot();
    await cluster.time.advance(9.5);
    expect(cluster.node(2).consensus.counters.votesNotReady).toBe(1);
  });
});

describe('time', () => {
  test.each([31, -31])('a voter whose clock is off by %i s refuses, the others go on', async (skew) => {
    const cluster = await Cluster.started(3);
    await publishEverywhere(cluster, ['a']);
    cluster.node(2).skew = skew;
    await cluster.runRound();
    expect(cluster.node(2).consensus.counters.votesNo).toBe(1);
    expect(cluster.node(2).consensus.counters.alarms.clockSkew).toBe(1);
    expect(cluster.node(1).consensus.counters.alarms.clockSkew).toBe(0);
    expect(cluster.node(0).rounds.at(-1)).toMatchObject({ published: true, signatures: 2 });
  });

  test('a voter whose clock is off by 25 s votes', async () => {
    const cluster = await Cluster.started(3);
    await publishEverywhere(cluster, ['a']);
    cluster.node(1).skew = -25;
    cluster.node(2).skew = 25;
    await cluster.runRound();
    expect(cluster.node(0).rounds.at(-1)).toMatchObject({ published: true, signatures: 3 });
  });

  test.each([31, -31])('a leader whose clock is off by %i s gets no quorum', async (skew) => {
    const cluster = await Cluster.started(3);
    cluster.node(0).skew = skew;
    await cluster.elect(0);
    await publishEverywhere(cluster, ['a']);
    await cluster.time.advance(3 * SLOT);
    expect(cluster.node(0).rounds.length).toBeGreaterThan(0);
    expect(cluster.node(0).rounds.some((round) => round.published)).toBe(false);
    expect(cluster.node(1).consensus.counters.votesYes).toBe(0);
    expect(cluster.node(1).consensus.counters.alarms.clockSkew).toBeGreaterThan(0);
  });

  test('a certificate that expires between creation and the vote counts, as everything is judged at creation', async () => {
    const cluster = await Cluster.started(3);
    const notAfter = START + SLOT + 1;
    for (let i = 0; i < 3; i++) await cluster.publish(i, makePacket({ name: 'a', expiration: LATER, notAfter }));
    // One node verifies everything only after the certificate has expired: it starts anew in mid-round.
    await cluster.toNextSlot();
    cluster.intercept = (_from, to, message) => (to === cluster.node(2).id ? undefined : message);
    await cluster.time.advanceUntil(() => cluster.log.some((operation) => operation.kind === 'freeze'), 1);
    await cluster.time.advance(3);
    await cluster.restart(2);
    cluster.intercept = (_from, _to, message) => message;
    const listing = await cluster.node(2).consensus.getFullListForPublication(START + SLOT);
    expect(listing.listed.map(({ identity }) => identity)).toEqual([identityOf('a')]);
    const now = await cluster.node(2).consensus.getFullListForPublication();
    expect(now.listed).toEqual([]);
    await expect(cluster.directory(0)).resolves.toMatchObject({ items: 1, round: START / SLOT + 1 });
  });

  test('a discovery node’s certificate that has expired at creation counts for nobody', async () => {
    const cluster = await Cluster.started(3);
    cluster.node(1).signer.validity = { notBefore: 0, notAfter: START + SLOT - 1 };
    await publishEverywhere(cluster, ['a']);
    await cluster.runRound();
    // The attestation and the vote of that node fall away; the other two suffice.
    const directory = await cluster.directory(2);
    expect(directory).toMatchObject({ items: 1 });
    expect(directory?.directory.signatures).toHaveLength(2);
  });

  test('a directory is not served once it has expired', async () => {
    const cluster = await Cluster.started(3, { serveInterim: false });
    await publishEverywhere(cluster, ['a']);
    await cluster.runRound();
    for (let i = 0; i < 3; i++)
      cluster.node(i).consensus.raftStateChanged({ state: 'follower', leaderId: null, term: 9 });
    const { expiration } = (await cluster.directory(1))!;
    await cluster.time.advance(expiration - cluster.time.now - 0.5);
    expect(await cluster.directory(1)).not.toBeNull();
    await cluster.time.advance(0.5);
    expect(await cluster.directory(1)).toBeNull();
  });
});

describe('leader changes', () => {
  test('whoever the result of a round did not reach before its leader went asks for it under the next one', async () => {
    const cluster = await Cluster.started(4);
    await publishEverywhere(cluster, ['a']);
    cluster.intercept = (_from, to, message) =>
      message.event === 'discoveryFinalConsensus' && to === cluster.node(3).id ? undefined : message;
    await cluster.toNextSlot();
    await cluster.time.advance(2);
    const round = START / SLOT + 1;
    await expect(cluster.directory(1)).resolves.toMatchObject({ round });
    expect(cluster.node(3).consensus.state).toBe('FollowerConsensusVote');
    cluster.crash(0);
    await cluster.elect(1);
    await cluster.time.advance(2);
    await expect(cluster.directory(3)).resolves.toMatchObject({ round });
    // Who has it asks nobody.
    const asking = cluster.sent.filter(({ message }) => message.event === 'pullDiscovery').map(({ from }) => from);
    expect(new Set(asking.slice(-2))).toEqual(new Set([cluster.node(3).id]));
  });

  test('a round that a leader change interrupts is dropped, and the next slot works', async () => {
    const cluster = await Cluster.started(3);
    await publishEverywhere(cluster, ['a']);
    cluster.intercept = (_from, _to, message) => (message.event === 'discoveryConsensusVote' ? undefined : message);
    await cluster.toNextSlot();
    await cluster.time.advanceUntil(() => cluster.node(2).consensus.state === 'FollowerConsensusVote', 5);
    expect(cluster.node(0).consensus.state).toBe('LeaderConsensusCalc');
    await cluster.elect(1);
    expect(cluster.node(0).rounds.at(-1)).toMatchObject({ published: false, reason: 'dropped' });
    expect(cluster.node(2).rounds.at(-1)).toMatchObject({ published: false, reason: 'dropped' });
    cluster.intercept = (_from, _to, message) => message;
    await cluster.time.advance(20);
    expect(cluster.messages('discoveryRequestConsensusVote')).toBe(2);
    await cluster.runRound();
    await expect(cluster.directory(0)).resolves.toMatchObject({ items: 1, round: START / SLOT + 2 });
  });

  test('what was accepted reaches the list through the next leader', async () => {
    const cluster = await Cluster.started(3);
    cluster.tamper = () => undefined;
    for (const name of ['a', 'b', 'c']) await cluster.publish(1, makePacket({ name, expiration: LATER }));
    await cluster.time.advance(3);
    expect(cluster.node(1).list.size).toBe(0);
    cluster.tamper = (operation) => operation;
    cluster.crash(0);
    await cluster.elect(2);
    await cluster.time.advance(1);
    expect(cluster.node(1).list.size).toBe(3);
    await cluster.time.advance(1);
    expect(cluster.node(1).consensus.counters).toMatchObject({ pendingForwards: 0, pendingForwardBytes: 0 });
    await cluster.runRound();
    await expect(cluster.directory(1)).resolves.toMatchObject({ items: 3 });
  });

  test('a forward is sent again until it is seen, ever less often', async () => {
    const cluster = await Cluster.started(3);
    let lost = 0;
    cluster.intercept = (_from, _to, message) =>
      message.event === 'publishToDiscoveryForwarded' && lost++ < 3 ? undefined : message;
    await cluster.publish(1, makePacket({ name: 'a', expiration: LATER }));
    await cluster.time.advance(20);
    expect(cluster.node(1).list.size).toBe(1);
    const sent = cluster.sent.filter(
      ({ from, message }) => from === cluster.node(1).id && message.event === 'publishToDiscoveryForwarded',
    );
    expect(sent).toHaveLength(4);
  });

  test('a follower answers nobody but the leader that Raft names', async () => {
    const cluster = await Cluster.started(3);
    await publishEverywhere(cluster, ['a']);
    let request: DiscoveryRequestConsensusVote | undefined;
    changeRequests(cluster, (sent) => (request = sent));
    await cluster.runRound();
    const { consensus } = cluster.node(1);
    const votes = consensus.counters.votesYes + consensus.counters.votesNo;
    await expect(consensus.onReceivedRequestConsensusVote(cluster.node(2).id, request!)).resolves.toMatchObject({
      code: 'senderIsNotLeader',
    });
    await expect(consensus.onReceivedRequestConsensusVote('stranger', request!)).resolves.toMatchObject({
      code: 'unknownPeer',
    });
    expect(consensus.counters.votesYes + consensus.counters.votesNo).toBe(votes);
    await expect(consensus.onReceivedRequestConsensusVote(cluster.node(0).id, request!)).resolves.toMatchObject({
      code: 'staleRound',
    });
  });
});

describe('restarts', () => {
  test('a node does not sign a second listing for the same round', async () => {
    const cluster = await Cluster.started(3);
    await publishEverywhere(cluster, ['a']);
    let request: DiscoveryRequestConsensusVote | undefined;
    changeRequests(cluster, (sent) => (request = sent));
    await cluster.runRound();
    expect(cluster.node(1).store.signed?.round).toBe(START / SLOT + 1);
    const signed = cluster.node(1).store.signed!;

    cluster.node(1).store.signed = { round: signed.round, digest: new Uint8Array(32).fill(7) };
    await cluster.restart(1);
    cluster.node(1).skew = START + SLOT + 10 - cluster.time.now;
    const answer = await cluster.node(1).consensus.vote(request!);
    expect(answer).toMatchObject({ verdict: WireVerdict.no, reason: 'alreadySigned' });
    expect(answer.signature).toBeUndefined();

    // The same listing again is no second one.
    cluster.node(1).store.signed = signed;
    await cluster.restart(1);
    await expect(cluster.node(1).consensus.vote(request!)).resolves.toMatchObject({ verdict: WireVerdict.yes });
  });

  test('a signature that cannot be recorded is not given', async () => {
    const cluster = await Cluster.started(3);
    await publishEverywhere(cluster, ['a']);
    cluster.node(1).store.failing = true;
    await cluster.runRound();
    expect(cluster.node(1).consensus.counters).toMatchObject({ votesYes: 0, votesNo: 1 });
    expect(cluster.node(1).consensus.counters.alarms.storeFailed).toBeGreaterThan(0);
    expect(cluster.node(0).rounds.at(-1)).toMatchObject({ published: true, signatures: 2 });
  });

  test('a node that starts serves its stored directory, then the newest that a quorum signed', async () => {
    const cluster = await Cluster.started(3);
    await publishEverywhere(cluster, ['a']);
    await cluster.runRound();
    cluster.crash(2);
    await cluster.runRound();
    await cluster.restart(2);
    await cluster.time.advance(0.1);
    await expect(cluster.directory(2)).resolves.toMatchObject({ round: START / SLOT + 2 });
  });

  test('a directory that is older, forged or of a stranger is not taken', async () => {
    const cluster = await Cluster.started(3);
    await publishEverywhere(cluster, ['a']);
    await cluster.runRound();
    const old = (await cluster.directory(1))!.directory;
    await cluster.runRound();
    const now = (await cluster.directory(1))!.directory;
    const { consensus } = cluster.node(2);
    const peer = cluster.node(1).id;
    await expect(consensus.onReceivedDirectory(peer, old)).resolves.toMatchObject({ code: 'staleDirectory' });
    await expect(consensus.onReceivedDirectory('stranger', now)).resolves.toMatchObject({ code: 'unknownPeer' });
    const fresh = new Cluster(3);
    await fresh.node(2).consensus.start();
    await fresh.time.advance(cluster.time.now - fresh.time.now);
    const offer = (signatures: typeof now.signatures): Promise<unknown> =>
      fresh.node(2).consensus.onReceivedDirectory(peer, { ...now, signatures });
    const [one] = now.signatures;
    await expect(offer([one!])).resolves.toMatchObject({ code: 'quorumMissing' });
    await expect(offer([one!, one!, one!])).resolves.toMatchObject({ code: 'quorumMissing' });
    await expect(offer([one!, one!, one!, one!])).resolves.toMatchObject({ code: 'tooMany' });
    await expect(
      fresh.node(2).consensus.onReceivedDirectory(peer, { ...now, directory: new Uint8Array([255, 1]) }),
    ).resolves.toMatchObject({ code: 'malformed' });
    // What can be read as a listing, and does not begin as one, may be a packet of somebody that all have attested.
    const packet = Uint8Array.from([0xed, 0, 1, 2, 3, 4, ...now.directory]);
    const attested = { ...now, directory: packet, signatures: await signedByAll(cluster, packet) };
    await expect(fresh.node(2).consensus.onReceivedDirectory(peer, attested)).resolves.toMatchObject({
      code: 'malformed',
    });
    await expect(offer(now.signatures)).resolves.toEqual({ ok: true });
    await expect(fresh.directory(2)).resolves.toMatchObject({ items: 1 });
  });

  test('a list that comes as a snapshot is verified and voted on', async () => {
    const cluster = await Cluster.started(3);
    cluster.lagging.add(cluster.node(2).id);
    for (let i = 0; i < 2; i++) await cluster.publish(i, makePacket({ name: 'a', expiration: LATER }));
    await cluster.time.advance(1);
    cluster.node(2).list.restoreFrom(cluster.node(1).list);
    cluster.node(2).applied = cluster.log.length;
    cluster.resume(2);
    await cluster.runRound();
    expect(cluster.node(2).consensus.counters.votesYes).toBe(1);
  });
});

describe('documented policy', () => {
  test('lists all entries and needs half of the nodes', async () => {
    const cluster = await Cluster.started(4, { policy: 'documented' });
    await publishEverywhere(cluster, ['a', 'b', 'c']);
    cluster.crash(2);
    cluster.crash(3);
    await cluster.runRound();
    expect(cluster.node(0).consensus.quorum).toBe(2);
    await expect(cluster.directory(1)).resolves.toMatchObject({ items: 3 });
  });

  test('entries that lack attestations stop its rounds; safe leaves them out', async () => {
    for (const [policy, published] of [
      ['documented', false],
      ['safe', true],
    ] as const) {
      const cluster = await Cluster.started(4, { policy, enhanceSeconds: 1000, resendSeconds: 1000 });
      await publishEverywhere(cluster, ['a']);
      cluster.intercept = (_from, _to, message) =>
        message.event === 'publishToDiscoveryForwarded' ? undefined : message;
      for (const name of ['f1', 'f2', 'f3']) await cluster.publish(0, makePacket({ name, expiration: LATER }));
      await cluster.runRound();
      expect(cluster.node(0).rounds.at(-1)).toMatchObject({ published, items: published ? 1 : 0 });
    }
  });

  test('a leader without extensions gets a signature over the list as it is', async () => {
    const cluster = await Cluster.started(3, { policy: 'documented' });
    await publishEverywhere(cluster, ['a']);
    const bare = { round: 0n, frozenIndex: 0n, listDigest: new Uint8Array(0), previousDigest: new Uint8Array(0) };
    changeRequests(cluster, (request) => ({ ...request, ...bare }));
    await cluster.runRound();
    expect(cluster.node(0).rounds.at(-1)).toMatchObject({ published: true, signatures: 3 });
    await expect(cluster.directory(1)).resolves.toMatchObject({ items: 1 });
  });
});

test('a standalone node publishes alone, with one signature', async () => {
  const cluster = new Cluster(1, { standalone: true });
  await cluster.node(0).consensus.start();
  await cluster.publish(0, makePacket({ name: 'a', expiration: LATER }));
  await cluster.elect(0);
  await cluster.runRound();
  const directory = await cluster.directory(0);
  expect(directory).toMatchObject({ items: 1, round: START / SLOT + 1 });
  expect(directory?.directory.signatures).toHaveLength(1);
});

test('without a directory a node serves its own list with its own signature, never as that of a slot', async () => {
  const cluster = await Cluster.started(3);
  await cluster.publish(1, makePacket({ name: 'a', expiration: LATER }));
  await cluster.time.advance(1);
  const directory = await cluster.directory(1);
  expect(directory).toMatchObject({ round: 0, items: 1 });
  expect(directory!.creation % SLOT).not.toBe(0);
  await cluster.toNextSlot();
  await cluster.time.advance(0.0015);
  const atSlot = await new Promise<number>((resolve) => void cluster.directory(2).then((d) => resolve(d!.creation)));
  expect(atSlot % SLOT).not.toBe(0);
});
