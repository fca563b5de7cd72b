import type { Bench, BenchContext } from '../bench.js';
import type { Measured } from '../consensus/measured.js';
import { naiveVoteMs } from '../consensus/naive-vote.js';
import { RoundNode } from '../consensus/round-node.js';
import { writesPerItem } from '../consensus/writes.js';
import { median } from '../rate.js';

const ITEMS = 100_000;
/**
 * Items that publish anew in a slot, where slots are 15 minutes, items live for 10 hours and publish when half of that is over.
 */
const REFRESHED = ITEMS / 20;

/** What a node does in a round. */
const PARTS = ['lead', 'follow', 'vote', 'press'] as const;
type Part = (typeof PARTS)[number];

type Taken = Readonly<Record<Part, readonly Measured<number>[]>>;

/** What happened between two rounds. */
const KINDS = ['quiet', 'refreshed'] as const;
type Kind = (typeof KINDS)[number];

interface Rounds {
  readonly taken: Readonly<Record<Kind, Taken>>;
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
  const roundsOf = async (kind: Kind): Promise<Taken> => {
    const taken: Record<Part, Measured<number>[]> = { lead: [], follow: [], vote: [], press: [] };
    // The first of each warms up.
    for (let repeat = 0; repeat <= effort.repeats; repeat++) {
      for (const part of PARTS) {
        if (kind === 'refreshed') await node.refresh(REFRESHED);
        const one = await node[part]();
        const block = Math.round(one.longestBlockMs);
        progress(`  ${kind}, ${part}: ${Math.round(one.cpuMs)} ms of CPU, blocks up to ${block} ms`);
        if (repeat > 0) taken[part].push(one);
      }
    }
    return taken;
  };
  try {
    const taken = { quiet: await roundsOf('quiet'), refreshed: await roundsOf('refreshed') };
    return { taken, naiveMs: naiveVoteMs(ITEMS, node.listingBytes) };
  } finally {
    await node.close();
  }
}

/** Names of the figures of rounds between which a twentieth of the items published anew. */
function nameOf(what: string, kind: Kind): string {
  return `consensus/${what}/${ITEMS}${kind === 'quiet' ? '' : `/${REFRESHED}-refreshed`}`;
}

/** CPU of one node for a whole round, the worse of leading and following; beside it, verifying and sorting all at the vote. */
function roundCpu(kind: Kind): Bench {
  return {
    name: nameOf('round-cpu', kind),
    unit: 'ms',
    run: async (context) => {
      const { taken, naiveMs } = await measuredRounds(context);
      const { lead, follow } = taken[kind];
      const [leading, following] = [lead, follow].map((all) => median(all.map(({ cpuMs }) => cpuMs)));
      return { value: Math.max(leading!, following!), baseline: naiveMs };
    },
  };
}

/** CPU of a vote's own work: listing, digests, the promise, signatures; beside it, verifying and sorting all at the vote. */
function vote(kind: Kind): Bench {
  return {
    name: nameOf('vote', kind),
    unit: 'ms',
    run: async (context) => {
      const { taken, naiveMs } = await measuredRounds(context);
      return { value: median(taken[kind].vote.map(({ cpuMs }) => cpuMs)), baseline: naiveMs };
    },
  };
}

/** CPU of brotli for HTTP, which a node spends on a directory once a client has asked for it; not part of a round. */
const pressCpu: Bench = {
  name: `consensus/press-cpu/${ITEMS}`,
  unit: 'ms',
  run: async (context) => {
    const { taken } = await measuredRounds(context);
    return { value: median(taken.quiet.press.map(({ cpuMs }) => cpuMs)) };
  },
};

/** The longest time for which a round holds the event loop up, leading or following; beside it, all of the vote at one go. */
function loopBlock(kind: Kind): Bench {
  return {
    name: nameOf('loop-block', kind),
    unit: 'ms',
    run: async (context) => {
      const { taken, naiveMs } = await measuredRounds(context);
      const { lead, follow } = taken[kind];
      const longest = [lead, follow].map((all) => median(all.map(({ longestBlockMs }) => longestBlockMs)));
      return { value: Math.max(...longest), baseline: naiveMs };
    },
  };
}

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

export default [...KINDS.flatMap((kind) => [roundCpu(kind), vote(kind), loopBlock(kind)]), pressCpu, writes];
