import type { Bench, BenchContext } from '../bench.js';
import type { Measured } from '../consensus/measured.js';
import { naiveVoteMs } from '../consensus/naive-vote.js';
import { RoundNode } from '../consensus/round-node.js';
import { writesPerItem } from '../consensus/writes.js';
import { median } from '../rate.js';

const ITEMS = 100_000;

/** What a node does in a round. */
const PARTS = ['lead', 'follow', 'vote', 'press'] as const;
type Part = (typeof PARTS)[number];

interface Rounds {
  readonly taken: Readonly<Record<Part, readonly Measured<number>[]>>;
  /** CPU of a vote that keeps nothing between rounds. */
  readonly naiveMs: number;
}

let rounds: Promise<Rounds> | undefined;

/** All figures of rounds come from the same ones. */
function measuredRounds(context: BenchContext): Promise<Rounds> {
  rounds ??= measureRounds(context);
  return rounds;
}

async function measureRounds({ effort, progress }: BenchContext): Promise<Rounds> {
  progress(`  ${ITEMS} items come into the list`);
  const node = await RoundNode.create(ITEMS);
  try {
    const taken: Record<Part, Measured<number>[]> = { lead: [], follow: [], vote: [], press: [] };
    // The first of each warms up.
    for (let repeat = 0; repeat <= effort.repeats; repeat++) {
      for (const part of PARTS) {
        const one = await node[part]();
        progress(`  ${part}: ${Math.round(one.cpuMs)} ms of CPU, blocks up to ${Math.round(one.longestBlockMs)} ms`);
        if (repeat > 0) taken[part].push(one);
      }
    }
    return { taken, naiveMs: naiveVoteMs(ITEMS, node.listingBytes) };
  } finally {
    await node.close();
  }
}

/** CPU of one node for a whole round, the worse of leading and following; beside it, verifying and sorting all at the vote. */
const roundCpu: Bench = {
  name: `consensus/round-cpu/${ITEMS}`,
  unit: 'ms',
  run: async (context) => {
    const { taken, naiveMs } = await measuredRounds(context);
    const [leading, following] = [taken.lead, taken.follow].map((all) => median(all.map(({ cpuMs }) => cpuMs)));
    return { value: Math.max(leading!, following!), baseline: naiveMs };
  },
};

/** CPU of a vote's own work: listing, digests, the promise, signatures; beside it, verifying and sorting all at the vote. */
const vote: Bench = {
  name: `consensus/vote/${ITEMS}`,
  unit: 'ms',
  run: async (context) => {
    const { taken, naiveMs } = await measuredRounds(context);
    return { value: median(taken.vote.map(({ cpuMs }) => cpuMs)), baseline: naiveMs };
  },
};

/** CPU of brotli for HTTP, which a node spends on a directory once a client has asked for it; not part of a round. */
const pressCpu: Bench = {
  name: `consensus/press-cpu/${ITEMS}`,
  unit: 'ms',
  run: async (context) => {
    const { taken } = await measuredRounds(context);
    return { value: median(taken.press.map(({ cpuMs }) => cpuMs)) };
  },
};

/** The longest time for which a round holds the event loop up, leading or following; beside it, all of the vote at one go. */
const loopBlock: Bench = {
  name: `consensus/loop-block/${ITEMS}`,
  unit: 'ms',
  run: async (context) => {
    const { taken, naiveMs } = await measuredRounds(context);
    const longest = [taken.lead, taken.follow].map((all) => median(all.map(({ longestBlockMs }) => longestBlockMs)));
    return { value: Math.max(...longest), baseline: naiveMs };
  },
};

/** Log entries for an item in one publish cycle of five nodes that all receive it; beside it, one for each attestation. */
const writes: Bench = {
  name: 'consensus/writes-per-item',
  unit: 'write',
  run: async ({ progress }) => {
    const { first, refresh, perAttestation } = await writesPerItem();
    progress(`  first publish: ${first.toFixed(2)}, refresh: ${refresh.toFixed(2)}`);
    return { value: Math.max(first, refresh), baseline: perAttestation };
  },
};

export default [roundCpu, vote, pressCpu, loopBlock, writes];
