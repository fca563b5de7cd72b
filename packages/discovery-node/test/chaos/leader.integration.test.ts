import { until, untilStatus, type RealNode } from '../support/real-network.js';
import { throwGarbage } from './support/garbage.js';
import { metric } from './support/metric.js';
import { LIMIT_MS, storyNetwork } from './support/story-network.js';

const STANDSTILL_MS = 10_000;

/** What the listener of a node has refused. */
const refusals = (node: RealNode): Promise<number> => metric(node, 'link_events_total', /listener\..*refused/);

const network = storyNetwork({ nodes: 3 });

test(
  'kill -9 of the leader between rounds, while relays publish',
  async () => {
    const { publishers } = network();
    const { leader, others } = await network().leader();
    publishers.keepPublishing(network().real.made.nodes);
    await until('some to be accepted', () => publishers.accepted.size >= 10);
    await network().kill(leader);
    const { accepted } = publishers;
    const before = accepted.size;
    await network().leader(others);
    await until('publishes to be accepted without it', () => accepted.size > before + 5);
    await network().round(others);
    await network().restart([leader.made]);
    await publishers.rest();
    await network().calm();
  },
  LIMIT_MS,
);

test(
  'kill -9 of the leader in a round, before its marker is committed: the slot may be lost, and nothing else',
  async () => {
    const { publishers } = network();
    const { leader, others } = await network().leader();
    await publishers.publishMany(10, network().real.made.nodes);
    for (const node of others) network().pause(node);
    await network().nextSlot();
    await untilStatus('the round to begin', leader, ({ consensus }) => consensus.state === 'LeaderConsensusCalc');
    await network().kill(leader);
    for (const node of others) network().resume(node);
    await network().round(others);
    await publishers.publishOne(others.map(({ made }) => made));
    await network().restart([leader.made]);
    await network().calm();
  },
  LIMIT_MS,
);

test(
  'kill -9 of the leader in a round, when a voter has been asked: whichever listing wins is the only one',
  async () => {
    const { publishers } = network();
    const { leader, others } = await network().leader();
    await publishers.publishMany(10, network().real.made.nodes);
    const [voter] = others;
    await network().nextSlot();
    await untilStatus('a voter to enter the round', voter!, ({ consensus, directory }) => {
      return consensus.state === 'FollowerConsensusVote' || directory?.round === network().slot;
    });
    await network().kill(leader);
    await publishers.publishOne(others.map(({ made }) => made));
    await network().round(others);
    await network().restart([leader.made]);
    await network().calm();
  },
  LIMIT_MS,
);

test(
  'kill -9 of all nodes at once, in the middle of everything: what was accepted is still there',
  async () => {
    const { publishers, watch } = network();
    publishers.keepPublishing(network().real.made.nodes);
    const before = publishers.accepted.size;
    await until('some to be accepted', () => publishers.accepted.size >= before + 20);
    const last = (await network().round())!.round;
    await network().nextSlot();
    const all = network().nodes;
    await Promise.all(all.map((node) => network().kill(node)));
    await publishers.rest();
    const back = await network().restart(all.map(({ made }) => made));
    for (const { made } of back) expect((await watch.look(made))!.round).toBeGreaterThanOrEqual(last);
    await network().calm();
  },
  LIMIT_MS,
);

test(
  'SIGSTOP of the leader for ten seconds: the others elect and go on, and it follows when it wakes up',
  async () => {
    const { publishers } = network();
    const { leader, others } = await network().leader();
    const term = (await leader.admin.call('status', {})).raft.term;
    await publishers.publishMany(10, network().real.made.nodes);
    network().pause(leader);
    const stoppedAt = performance.now();
    publishers.keepPublishing(others.map(({ made }) => made));
    const during = (await network().round(others))!.round;
    await until('ten seconds to be over', () => performance.now() - stoppedAt > STANDSTILL_MS);
    network().resume(leader);
    await untilStatus('it to follow', leader, ({ raft }) => raft.state === 'follower' && raft.leaderId !== null);
    expect((await leader.admin.call('status', {})).raft.term).toBeGreaterThan(term);
    expect((await network().round())!.round).toBeGreaterThan(during);
    await publishers.rest();
    await network().calm();
  },
  LIMIT_MS,
);

test(
  'garbage at the PSP port and at the admin socket, while relays publish: it is refused and counted, and costs nothing else',
  async () => {
    const { publishers } = network();
    const nodes = network().real.made.nodes;
    publishers.keepPublishing(nodes);
    const before = await Promise.all(network().nodes.map(refusals));
    for (const node of nodes) await throwGarbage(node);
    await network().round();
    await publishers.rest();
    for (const [i, node] of network().nodes.entries()) {
      const { process } = await node.admin.call('status', {});
      expect(process.pid).toBe(node.pid);
      expect(await refusals(node)).toBeGreaterThan(before[i]!);
    }
    expect(publishers.outcomes.noReceipt ?? 0).toBeLessThan(publishers.accepted.size);
    await network().calm();
  },
  LIMIT_MS,
);
