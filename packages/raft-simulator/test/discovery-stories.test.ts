import { TOLERANCE_SECONDS } from '../src/discovery/calendar.js';
import {
  drawDiscoveryScenario,
  liarsOf,
  NO_LIES,
  NO_MACHINE_FAULTS,
  runDiscoveryScenario,
  type DiscoveryResult,
  type DiscoveryScenario,
  type LiePlan,
} from '../src/index.js';

/*
 * The attacks of DISCOVERY.md section 7, one after the other and each alone. What must hold in each is what the checkers
 * of the simulation ask: no wrong signature, no lost item, no failure, and the next slot works. A story shows beside that
 * that the attack took place.
 */

type Change = Partial<Omit<DiscoveryScenario, 'seed' | 'nodes'>> & {
  readonly size?: number;
  readonly lies?: Partial<LiePlan>;
  readonly skews?: readonly number[];
};

/** Honest machines and quiet links, but for what the story is about. */
function story(seed: number, { size = 4, lies, skews = [], ...rest }: Change): DiscoveryScenario {
  const drawn = drawDiscoveryScenario(seed, 'safe');
  const liars = lies === undefined ? 0 : liarsOf(size);
  const nodes = Array.from({ length: size }, (_, i) => ({
    name: `d${i + 1}`,
    lies: i < liars ? { ...NO_LIES, ...lies } : null,
    skewSeconds: skews[i] ?? 0,
    calmSkewSeconds: 0,
    disk: { immediate: false, writeMs: 3, readMs: 0 },
  }));
  const calm = { delayMs: 10, loss: 0, duplication: 0, longDelay: 0, longDelayMs: 0 };
  return {
    ...{ ...drawn, nodes, root: null, calm, links: calm, verifyMs: 0, shortListingBytes: 1 << 20 },
    // Leadership goes round, so that liars come to lead.
    faults: { ...NO_MACHINE_FAULTS, transferEveryMs: lies === undefined ? 0 : 5000, durationMs: 1000 },
    outside: { publishers: 6, dated: 0, floodPerSlot: 0, trashPerSlot: 0, dividing: 0 },
    ...rest,
  };
}

async function tell(change: Change, seed = 1): Promise<DiscoveryResult> {
  const result = await runDiscoveryScenario(story(seed, change));
  expect(result.violation).toBeNull();
  expect(result.counts.found).toBeGreaterThan(0);
  return result;
}

describe('a lying leader', () => {
  test('omits items and takes items out of the list: voters notice, and those who attested them bring them back', async () => {
    const { counts } = await tell({ lies: { omission: 0.9, removal: 0.9 } });
    expect(counts.lies).toBeGreaterThan(10);
  });

  test('asks for votes on lists of rounds that are over or to come: nobody signs out of time', async () => {
    const { counts } = await tell({ lies: { wrongTime: 0.9, replay: 0.9 } });
    expect(counts.lies).toBeGreaterThan(10);
  });

  test.each([4, 7])(
    'of %i shows half of the others another list: neither list gets a quorum of wrong signatures',
    async (size) => {
      const { counts } = await tell({ size, lies: { twoLists: 1 } });
      expect(counts.lies).toBeGreaterThan(0);
    },
  );

  test('names wrong digests and sends final sets that are none: nobody publishes them', async () => {
    const { counts } = await tell({ lies: { wrongDigests: 0.5, falseFinals: 0.9 } });
    expect(counts.lies).toBeGreaterThan(10);
  });

  test('writes forged packets and attestations into the list: the next leader heals it', async () => {
    const { counts } = await tell({ lies: { poison: 0.9 } });
    expect(counts.lies).toBeGreaterThan(5);
  });

  test.each([{ earlyEnds: 0.9 }, { madeUpDates: 0.9 }, { crowds: 0.9 }])(
    'poisons the list so that it looks in order, by %j: the next leader heals it',
    async (lies) => {
      const { counts } = await tell({ lies });
      expect(counts.lies).toBeGreaterThan(2);
    },
  );
});

describe('lying voters', () => {
  test.each([4, 7, 9])('up to f of %i lie, stall and send garbage, late and early', async (size) => {
    const { counts, liars } = await tell({ size, lies: { silence: 0.3, falseVotes: 0.9, late: 0.9, garbage: 0.9 } });
    expect(liars).toBe(liarsOf(size));
    expect(counts.lies).toBeGreaterThan(50);
  });

  test('repeat old votes, requests, final sets, items and directories, and forge new ones', async () => {
    const { counts } = await tell({
      lies: { replay: 0.9, forgedDirectories: 0.9, forgedForwards: 0.9, pretence: 0.9 },
    });
    expect(counts.lies).toBeGreaterThan(50);
  });
});

describe('time', () => {
  test('certificates of publishers begin and end in the middle of rounds', async () => {
    const { counts } = await tell({
      outside: { publishers: 3, dated: 12, floodPerSlot: 0, trashPerSlot: 0, dividing: 0 },
      verifyMs: 20,
    });
    expect(counts.accepted).toBeGreaterThan(20);
  });

  test('the clocks of a leader and of voters are wrong, some by more than what is tolerated, and are set while they run', async () => {
    const skews = [TOLERANCE_SECONDS * 3, -TOLERANCE_SECONDS * 2, 0.7, -0.7, 0];
    const { counts } = await tell({
      size: 5,
      skews,
      faults: { ...NO_MACHINE_FAULTS, transferEveryMs: 6000, durationMs: 1000 },
    });
    expect(counts.alarms).toBeGreaterThan(0);
    expect(counts.crashes).toBe(0);
  });
});

describe('outsiders', () => {
  test('flood one node with valid items, and all with rubbish: rounds go on, and nobody else is crowded out', async () => {
    const { counts } = await tell({
      outside: { publishers: 6, dated: 0, floodPerSlot: 20, trashPerSlot: 20, dividing: 0 },
    });
    expect(counts.refused).toBeGreaterThan(50);
    expect(counts.published).toBeGreaterThan(4 * 5);
  });

  test('give nodes different packets of one expiration: each is listed in one version', async () => {
    const outside = { publishers: 3, dated: 0, floodPerSlot: 0, trashPerSlot: 0, dividing: 6 };
    const { counts } = await tell({ outside, lies: { omission: 0.4, removal: 0.4 } });
    expect(counts.accepted).toBeGreaterThan(20);
  });
});

describe('machines', () => {
  test('crash at the steps of a round, just before and just after they have signed', async () => {
    const { counts } = await tell({ size: 5, faults: { ...NO_MACHINE_FAULTS, crashAtStep: 0.4, durationMs: 700 } });
    expect(counts.crashes).toBeGreaterThan(15);
  });

  test('are cut off from each other in every way while rounds go on, and lose and repeat messages', async () => {
    const links = { delayMs: 60, loss: 0.1, duplication: 0.3, longDelay: 0.05, longDelayMs: 8000 };
    await tell({ size: 5, links, faults: { ...NO_MACHINE_FAULTS, partitionEveryMs: 5000, durationMs: 3000 } });
  });
});

describe('the trust root changes while rounds go on', () => {
  const soon = { activationSlot: 3, signedFromMs: 14_000, learnMs: 500 };

  test.each([
    ['another fingerprint', { change: 'rotate', node: null }, 4],
    ['a node that comes', { change: 'add', node: 'd5' }, 5],
    ['a node that goes', { change: 'remove', node: 'd4' }, 4],
  ] as const)('%s: no round has two directories, and the next ones are by the new root', async (_, change, size) => {
    const { counts } = await tell({ size, root: { ...soon, ...change } });
    expect(counts).toMatchObject({ roots: 1, stuck: 0 });
    // Slots 3 to 8, at four nodes or five; the slot of the change may be lost.
    expect(counts.byNextRoot).toBeGreaterThan(15);
    expect(counts.published).toBeGreaterThan(counts.byNextRoot);
  });

  test('nodes that hear of it long after: what they signed keeps them from going on by the old root', async () => {
    const late = { change: 'remove', node: 'd7', activationSlot: 2, signedFromMs: 14_000, learnMs: 25_000 } as const;
    const { counts } = await tell({ size: 7, root: late });
    expect(counts).toMatchObject({ roots: 1, stuck: 0 });
    expect(counts.byNextRoot).toBeGreaterThan(5);
  });

  test('a liar that it has dropped goes on lying: its signature fills no set, and the old root’s quorum is none', async () => {
    const gone = { ...soon, change: 'remove', node: 'd2' } as const;
    const lies = { falseFinals: 0.9, forgedDirectories: 0.9, wrongTime: 0.4, pretence: 0.9 };
    const { counts, liars } = await tell({ size: 7, lies, root: gone }, 2);
    expect(liars).toBe(2);
    expect(counts).toMatchObject({ roots: 1, stuck: 0 });
    expect(counts.byNextRoot).toBeGreaterThan(10);
    expect(counts.lies).toBeGreaterThan(20);
  });
});
