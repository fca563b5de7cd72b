import { until, untilStatus } from '../support/real-network.js';
import { SLOT_SECONDS } from './support/chaos-network.js';
import { LIMIT_MS, storyNetwork } from './support/story-network.js';

/** Signatures that five nodes need by the safe policy. */
const QUORUM = 4;
/** How long a leader waits for votes. */
const VOTE_SECONDS = 60;

const network = storyNetwork({ nodes: 5, cables: true });

test(
  'links that flap every 200 ms, one of the leader and one between followers: publishes and rounds go on',
  async () => {
    const { publishers, cables } = network();
    const { leader, others } = await network().leader();
    const [one, two, three] = others;
    const cuts = [cables.flap(leader.made, one!.made, 200), cables.flap(two!.made, three!.made, 200)];
    publishers.keepPublishing(network().real.made.nodes);
    const before = publishers.accepted.size;
    await until('publishes to be accepted', () => publishers.accepted.size > before + 40);
    const reachable = network().nodes.filter((node) => node !== one);
    const directory = await network().round(reachable);
    expect(directory!.signatures).toBeGreaterThanOrEqual(QUORUM);
    await until('the cables to have been cut often', () => cuts.every((cut) => cut.times() >= 15));
    for (const cut of cuts) cut.end();
    await publishers.rest();
    await network().calm();
  },
  LIMIT_MS,
);

test(
  'one of five cut off: the others make directories; the one accepts nothing and serves what it had, until it is healed',
  async () => {
    const { publishers, cables, watch } = network();
    const { leader, others } = await network().leader();
    await network().round();
    const alone = leader;
    cables.partition(
      [alone.made],
      others.map(({ made }) => made),
    );
    await publishers.publishOne(others.map(({ made }) => made));
    const had = (await watch.look(alone.made))!.round;
    const directory = await network().round(others);
    expect(directory!.signatures).toBe(QUORUM);
    expect(await publishers.publish(alone.made)).not.toBe('accepted');
    expect((await watch.look(alone.made))!.round).toBe(had);
    cables.healAll();
    await network().calm();
  },
  LIMIT_MS,
);

test(
  'two of five cut off, the leader among them: the three go on with the list, nobody signs a directory alone, ' +
    'and what is served says so once the last one has expired; healed, all agree',
  async () => {
    const { publishers, cables, watch } = network();
    const { leader, others } = await network().leader();
    const last = (await network().round())!.round;
    const few = [leader, others[0]!].map(({ made }) => made);
    const many = others.slice(1);
    cables.partition(
      few,
      many.map(({ made }) => made),
    );
    const { leader: second } = await network().leader(many);
    await publishers.publishMany(
      5,
      many.map(({ made }) => made),
    );
    await publishers.publishOne(many.map(({ made }) => made));
    expect(await publishers.publish(few[0]!)).not.toBe('accepted');
    // Three signatures are no quorum of five, as one may lie: so there is no directory until the two are back.
    while (network().slot <= last + 3) {
      await network().nextSlot();
      await untilStatus('the round to begin', second, ({ consensus }) => consensus.state === 'LeaderConsensusCalc');
      await network().jump(network().now + VOTE_SECONDS);
      await untilStatus('the round to end', second, ({ rounds }) => rounds.last?.round === network().slot);
    }
    expect(network().now).toBeGreaterThan((last + 3) * SLOT_SECONDS);
    for (const { made } of network().nodes) expect((await watch.look(made))?.verified ?? null).toBeNull();
    expect(watch.rounds.at(-1)).toBe(last);
    cables.healAll();
    await network().calm();
    expect(watch.rounds.at(-1)).toBeGreaterThan(last);
  },
  LIMIT_MS,
);
