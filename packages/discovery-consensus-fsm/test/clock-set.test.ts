import { Cluster, SLOT, START } from './fixtures/cluster.js';
import { makePacket } from './fixtures/fake-crypto.js';

const LATER = START + 3600;
const VOTE_SECONDS = 10;
const TEN_MINUTES = 600;
/** Ends up in the middle of a slot. */
const AHEAD = TEN_MINUTES + SLOT / 2;

async function clusterWithItem(): Promise<Cluster> {
  const cluster = await Cluster.started(3);
  for (let i = 0; i < 3; i++) await cluster.publish(i, makePacket({ name: 'a', expiration: LATER }));
  await cluster.time.advance(1);
  return cluster;
}

function setClocks(cluster: Cluster, skew: number, nodes = [0, 1, 2]): void {
  for (const i of nodes) cluster.node(i).skew = skew;
}

/** Runs to the moment at which the leader has asked for votes in the next slot. */
async function toTheVote(cluster: Cluster): Promise<void> {
  await cluster.toNextSlot();
  const asked = cluster.messages('discoveryRequestConsensusVote');
  await cluster.time.advanceUntil(() => cluster.messages('discoveryRequestConsensusVote') > asked, 2);
}

function rounds(cluster: Cluster, i: number): readonly (readonly [number, boolean])[] {
  return cluster.node(i).rounds.map(({ round, published }) => [round - START / SLOT, published]);
}

describe('a clock is set between rounds', () => {
  test('the leader’s, ten minutes back: an alarm, no round; set right again, the next slot works without a restart', async () => {
    const cluster = await clusterWithItem();
    await cluster.runRound();
    setClocks(cluster, -TEN_MINUTES, [0]);
    await cluster.time.advance(2 * SLOT);
    expect(rounds(cluster, 0)).toEqual([[1, true]]);
    expect(cluster.node(0).consensus.counters.alarms.clockSkew).toBe(1);
    setClocks(cluster, 0, [0]);
    await cluster.runRound();
    expect(rounds(cluster, 0)).toEqual([
      [1, true],
      [4, true],
    ]);
    expect((await cluster.directory(2))?.round).toBe(START / SLOT + 4);
  });

  test('the leader’s, ten minutes forward: nobody votes, and once it is right again its promise is all that delays it', async () => {
    const cluster = await clusterWithItem();
    await cluster.toNextSlot();
    setClocks(cluster, TEN_MINUTES, [0]);
    await cluster.time.advance(30);
    expect(rounds(cluster, 0)).toEqual([[11, false]]);
    expect(cluster.node(1).consensus.counters.alarms.clockSkew).toBe(1);
    setClocks(cluster, 0, [0]);
    await cluster.time.advance(9 * SLOT);
    expect(rounds(cluster, 0)).toEqual([[11, false]]);
    expect(cluster.node(0).consensus.counters.alarms.clockSkew).toBe(1);
    await cluster.time.advance(2 * SLOT);
    expect(rounds(cluster, 0)).toEqual([
      [11, false],
      [12, true],
    ]);
  });

  test('that of a leader that was ahead: another one leads at once', async () => {
    const cluster = await clusterWithItem();
    await cluster.toNextSlot();
    setClocks(cluster, TEN_MINUTES, [0]);
    await cluster.time.advance(30);
    setClocks(cluster, 0, [0]);
    await cluster.elect(1);
    await cluster.runRound();
    expect(rounds(cluster, 1).at(-1)).toEqual([2, true]);
  });

  test('all, ten minutes forward: the next slot of the new time begins in time', async () => {
    const cluster = await clusterWithItem();
    await cluster.runRound();
    setClocks(cluster, TEN_MINUTES);
    await cluster.toNextSlot();
    await cluster.time.advance(1);
    expect(rounds(cluster, 0)).toEqual([
      [1, true],
      [12, true],
    ]);
  });

  test('a new leader’s, back: it waits for a slot that begins after its take-over, not for the time it had before', async () => {
    const cluster = await clusterWithItem();
    setClocks(cluster, TEN_MINUTES);
    await cluster.elect(1);
    setClocks(cluster, 0);
    await cluster.runRound();
    expect(rounds(cluster, 1)).toEqual([[1, true]]);
  });

  test('a follower’s, back: what it accepted is sent again as before, and its publisher is told in time', async () => {
    const cluster = await clusterWithItem();
    cluster.intercept = (_from, _to, message) =>
      message.event === 'publishToDiscoveryForwarded' ? undefined : message;
    let code: string | undefined;
    void cluster.publish(1, makePacket({ name: 'b', expiration: LATER }), 7n).then((outcome) => (code = outcome.code));
    await cluster.time.advance(1);
    const sent = cluster.messages('publishToDiscoveryForwarded');
    setClocks(cluster, -TEN_MINUTES, [1]);
    await cluster.time.advance(8);
    expect(cluster.messages('publishToDiscoveryForwarded')).toBeGreaterThan(sent);
    expect(code).toBeUndefined();
    await cluster.time.advance(2);
    expect(code).toBe('unconfirmed');
    cluster.intercept = (_from, _to, message) => message;
    await cluster.time.advance(10);
    expect(cluster.node(1).consensus.counters.pendingForwards).toBe(0);
  });

  test('an interim list of a time that is no more is made anew', async () => {
    const cluster = await clusterWithItem();
    const before = await cluster.directory(1);
    setClocks(cluster, -TEN_MINUTES, [1]);
    await cluster.time.advance(11);
    const after = await cluster.directory(1);
    expect(after!.creation).toBeLessThan(before!.creation - TEN_MINUTES + 15);
  });

  test.each([TEN_MINUTES, -TEN_MINUTES])('by %i s: the node tells of it, once', async (seconds) => {
    const cluster = await clusterWithItem();
    const told: number[] = [];
    cluster.node(1).consensus.on('clockSet', ({ bySeconds }) => told.push(Math.round(bySeconds)));
    setClocks(cluster, seconds, [1]);
    await cluster.time.advance(5);
    expect(told).toEqual([seconds]);
  });
});

describe('a clock is set during a round', () => {
  test.each([AHEAD, -TEN_MINUTES])('the leader’s, by %i s: the round ends as it would have', async (seconds) => {
    const cluster = await clusterWithItem();
    await toTheVote(cluster);
    setClocks(cluster, seconds, [0]);
    await cluster.time.advance(5);
    expect(rounds(cluster, 0)).toEqual([[1, true]]);
    expect((await cluster.directory(1))?.round).toBe(START / SLOT + 1);
  });

  test.each([AHEAD, -TEN_MINUTES])(
    'the leader’s, by %i s, when votes stay out: it gives up at its deadline, not earlier or later',
    async (seconds) => {
      const cluster = await clusterWithItem();
      cluster.intercept = (_from, _to, message) => (message.event === 'discoveryConsensusVote' ? undefined : message);
      await toTheVote(cluster);
      setClocks(cluster, seconds, [0]);
      await cluster.time.advance(VOTE_SECONDS - 1);
      expect(cluster.node(0).consensus.state).toBe('LeaderConsensusCalc');
      await cluster.time.advance(2);
      expect(rounds(cluster, 0)).toEqual([[1, false]]);
      expect(cluster.node(0).consensus.state).toBe('LeaderRunning');
    },
  );

  test.each([AHEAD, -TEN_MINUTES])(
    'a voter’s, by %i s, when the result stays out: it is free for the next round',
    async (seconds) => {
      const cluster = await clusterWithItem();
      cluster.intercept = (_from, _to, message) => (message.event === 'discoveryFinalConsensus' ? undefined : message);
      await toTheVote(cluster);
      await cluster.time.advance(1);
      setClocks(cluster, seconds, [1]);
      expect(cluster.node(1).consensus.state).toBe('FollowerConsensusVote');
      await cluster.time.advance(2 * VOTE_SECONDS);
      expect(cluster.node(1).consensus.state).toBe('FollowerRunning');
      setClocks(cluster, 0, [1]);
      cluster.intercept = (_from, _to, message) => message;
      await cluster.runRound();
      expect((await cluster.directory(1))?.round).toBe(START / SLOT + 2);
    },
  );
});
