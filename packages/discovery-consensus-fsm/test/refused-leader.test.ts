import { create } from '@bufbuild/protobuf';
import { DiscoveryRequestConsensusVoteSchema } from '@discovery-raft/protocol';
import { Cluster, START } from './fixtures/cluster.js';
import { VERSION, makePacket } from './fixtures/fake-crypto.js';

test('a leader without an authenticated link gets neither votes nor forwards, hears why, and is followed once the link stands', async () => {
  const cluster = await Cluster.started(4);
  const [leader, follower] = [cluster.node(1), cluster.node(2)];
  const told: unknown[] = [];
  follower.consensus.on('leaderRefused', (refusal) => told.push(refusal));
  cluster.unauthenticated.add(`${follower.id} ${leader.id}`);
  await cluster.elect(1);
  await cluster.time.advance(5);
  expect(follower.consensus.state).toBe('FollowerVerifyLeader');
  expect(told).toEqual([{ leaderId: leader.id, term: 2, reason: 'notAuthenticated' }]);

  await cluster.publish(2, makePacket({ name: 'a', expiration: START + 3600 }));
  await cluster.time.advance(5);
  expect(cluster.messages('publishToDiscoveryForwarded')).toBe(0);
  await cluster.runRound();
  expect(follower.consensus.counters).toMatchObject({ votesYes: 0, votesNo: 1 });
  expect(follower.store.signed).toBeNull();
  const { handled } = cluster.handled.find(
    ({ to, event }) => to === follower.id && event === 'discoveryRequestConsensusVote',
  )!;
  expect(handled).toEqual({ ok: false, code: 'leaderNotVerified', detail: 'notAuthenticated' });

  cluster.unauthenticated.clear();
  await cluster.time.advance(2);
  expect(follower.consensus.state).toBe('FollowerRunning');
  await cluster.runRound();
  expect(follower.consensus.counters.votesYes).toBe(1);
  expect(cluster.messages('publishToDiscoveryForwarded')).toBeGreaterThan(0);
});

test('a leader that the trust root does not name is not followed, and its requests are answered by nobody', async () => {
  const cluster = await Cluster.started(4);
  const { consensus } = cluster.node(2);
  const told: unknown[] = [];
  consensus.on('leaderRefused', (refusal) => told.push(refusal));
  consensus.raftStateChanged({ state: 'follower', leaderId: 'a stranger', term: 9 });
  await cluster.time.advance(3);
  expect(told).toEqual([{ leaderId: 'a stranger', term: 9, reason: 'notMember' }]);
  const body = create(DiscoveryRequestConsensusVoteSchema, { version: VERSION });
  const handled = await consensus.onMessage('a stranger', { event: 'discoveryRequestConsensusVote', body });
  expect(handled).toMatchObject({ ok: false, code: 'unknownPeer' });
  expect(consensus.counters).toMatchObject({ votesYes: 0, votesNo: 0 });
});

test('a leader whose list does not extend to the marker that it names, or whose round is over, gets no signature', async () => {
  const cluster = await Cluster.started(3);
  await cluster.runRound();
  const voter = cluster.node(1);
  const { round, index } = voter.consensus.lastState!;
  const signed = voter.store.signed;
  const ask = (of: number, frozenIndex: number) => {
    const creation = BigInt(of * 60);
    return voter.consensus.onMessage(cluster.node(0).id, {
      event: 'discoveryRequestConsensusVote',
      body: create(DiscoveryRequestConsensusVoteSchema, {
        ...{ version: VERSION, creation, expiration: creation + 180n, round: BigInt(of) },
        ...{ frozenIndex: BigInt(frozenIndex), listDigest: new Uint8Array(32) },
      }),
    });
  };
  await expect(ask(round, index)).resolves.toMatchObject({ ok: false, code: 'staleRound' });
  await cluster.toNextSlot();
  cluster.intercept = (_from, _to, message) =>
    message.event === 'discoveryRequestConsensusVote' ? undefined : message;
  await cluster.time.advance(0.1);
  // The marker of the round before stands at that index: there is no list of this round there.
  await ask(round + 1, index);
  await cluster.time.advance(30);
  expect(voter.consensus.counters.votesNotReady).toBe(1);
  expect(voter.store.signed).toEqual(signed);
});
