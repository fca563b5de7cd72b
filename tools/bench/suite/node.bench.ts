import { connectOverTls, NodeClient } from '@discovery-raft/discovery-client';
import { SigningKey, VerifyPool } from '@discovery-raft/psp-pki';
import type { Bench, BenchContext } from '../bench.js';
import { fillStore } from '../network/full-store.js';
import { inHours, Relay } from '../network/relays.js';
import { TestNetwork, until, type RunningNode } from '../network/test-network.js';

const CONNECTIONS = 4;
const CONCURRENT = 256;
const FIRST_PUBLISHES = 2000;
const REFRESH_ROUNDS = 4;
const SPREAD_SAMPLES = 200;
const VERSION = 'xpx-discovery-1.0';
/** Nothing of a round is to disturb what is measured here. */
const CONSENSUS = { slotSeconds: 86_400, ownEntryGraceSeconds: 3600, maxLifetimeSeconds: 172_800, confirmSeconds: 120 };

/** Publishes over a few anonymous TLS connections to one node, many at a time; the clients and the node share the cores. */
class Publishers {
  readonly #clients: NodeClient[];

  private constructor(clients: NodeClient[]) {
    this.#clients = clients;
  }

  static async connect({ made }: RunningNode, connections = CONNECTIONS): Promise<Publishers> {
    const connect = connectOverTls();
    const { signal } = new AbortController();
    const clients = Array.from({ length: connections }, async () => {
      const { channel } = await connect(made, { signal });
      return new NodeClient(channel, { version: VERSION, timeoutMs: 120_000 });
    });
    return new Publishers(await Promise.all(clients));
  }

  /** Resolves with the rate, per second, when every packet was accepted and is in the list. */
  async publishAll(packets: readonly Uint8Array[]): Promise<number> {
    let next = 0;
    const began = performance.now();
    const work = async (worker: number): Promise<void> => {
      const client = this.#clients[worker % this.#clients.length]!;
      while (next < packets.length) {
        const { code, detail } = await client.publish(packets[next++]!);
        if (code !== 'accepted') throw new Error(`a publish was refused: ${code} ${detail}`);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENT }, (_, i) => work(i)));
    return packets.length / ((performance.now() - began) / 1000);
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}

/** Ed25519 verifications per second of this machine, all its cores, with nothing else to do. */
async function rawVerifications(seconds: number): Promise<number> {
  const pool = new VerifyPool({ threads: 2 });
  const key = SigningKey.fromSeed(new Uint8Array(32).fill(7));
  const message = new Uint8Array(300).fill(1);
  const signature = key.sign(message);
  try {
    const began = performance.now();
    const end = began + seconds * 1000;
    let done = 0;
    const work = async (): Promise<void> => {
      while (performance.now() < end) {
        if (!(await pool.verify(key.publicKey, message, signature))) throw new Error('it must verify');
        done++;
      }
    };
    await Promise.all(Array.from({ length: 512 }, work));
    return done / ((performance.now() - began) / 1000);
  } finally {
    await pool.close();
  }
}

/**
 * Publishes per second that one node accepts over TLS, all checks made, attested, and durable in its log. `first`: who is
 * not known, with a chain of five signatures; `refresh`: a newer item of one that is, with one.
 */
function publishes(kind: 'first' | 'refresh'): Bench {
  return {
    name: `node/publish/${kind}`,
    unit: 'publish/s',
    run: async ({ effort, progress }: BenchContext) => {
      const baseline = await rawVerifications(effort.seconds);
      const network = await TestNetwork.create(1, { ...CONSENSUS, standalone: true });
      try {
        const { leader } = await network.startAll();
        const { root, authorities } = network.made;
        const relays = Array.from({ length: FIRST_PUBLISHES }, (_, i) => new Relay(String(i), root, authorities));
        const expiration = inHours(20);
        const publishers = await Publishers.connect(leader);
        let value = await publishers.publishAll(relays.map((relay) => relay.packet(expiration)));
        progress(`  first: ${Math.round(value)} publish/s`);
        if (kind === 'refresh') {
          const rates: number[] = [];
          for (let round = 1; round <= REFRESH_ROUNDS; round++) {
            rates.push(await publishers.publishAll(relays.map((relay) => relay.packet(expiration + round))));
            progress(`  refresh: ${Math.round(rates.at(-1)!)} publish/s`);
          }
          value = rates.toSorted((a, b) => a - b)[rates.length >> 1]!;
        }
        publishers.close();
        return { value, baseline };
      } finally {
        await network.stop();
      }
    },
  };
}

/** From a publish at a follower until the list of every one of three nodes has the item. */
function spread(percentile: 50 | 99): Bench {
  return {
    name: `node/publish-to-lists/p${percentile}`,
    unit: 'ms',
    run: async () => {
      const network = await TestNetwork.create(3, CONSENSUS);
      try {
        const { leader, others } = await network.startAll();
        const publishers = await Publishers.connect(others[0]!, 1);
        const { root, authorities } = network.made;
        const expiration = inHours(20);
        const samples: number[] = [];
        for (let i = 0; i < SPREAD_SAMPLES; i++) {
          const relay = new Relay(`spread ${i}`, root, authorities);
          const packet = relay.packet(expiration);
          const began = performance.now();
          const published = publishers.publishAll([packet]);
          await Promise.all([leader, ...others].map((node) => listed(node, relay.identity)));
          samples.push(performance.now() - began);
          await published;
        }
        publishers.close();
        samples.sort((a, b) => a - b);
        return { value: samples[Math.floor((samples.length * percentile) / 100)]! };
      } finally {
        await network.stop();
      }
    },
  };
}

async function listed({ admin }: RunningNode, identity: string): Promise<true> {
  return until('the item to be listed', async () => {
    const { items } = await admin.call('list', { identity });
    return items.length > 0 ? true : undefined;
  });
}

const STORED_ITEMS = 100_000;

/** Node verifies so many items in its first life; a quiet machine takes a minute and a half. */
const VERIFY_LIMIT_MS = 1_200_000;

/**
 * From the start of a process that has 100,000 items in its store, really signed, until it leads with all of them in its list
 * and serves the directory of its last round. It verified them in an earlier life. Beside it, that life: until a process that
 * remembers nothing has verified what it has.
 */
const restart: Bench = {
  name: `node/restart/${STORED_ITEMS}`,
  unit: 'ms',
  run: async ({ effort, progress }) => {
    const network = await TestNetwork.create(1, { ...CONSENSUS, standalone: true });
    try {
      await fillStore(network.made, STORED_ITEMS, (done) => {
        if (done % 25_000 === 0) progress(`  ${done} items are stored`);
      });
      const baseline = await firstLife(network);
      progress(`  verified all in ${Math.round(baseline)} ms, and stored a directory`);
      const samples: number[] = [];
      for (let repeat = 0; repeat < effort.repeats; repeat++) {
        const began = performance.now();
        const node = await network.start(network.made.nodes[0]!);
        await until('the list', async () => {
          const { raft, list, directory } = await node.admin.call('status', {});
          const isWhole = raft.state === 'leader' && list.records === STORED_ITEMS;
          return isWhole && directory?.items === STORED_ITEMS ? true : undefined;
        });
        samples.push(performance.now() - began);
        progress(`  restarted in ${Math.round(samples.at(-1)!)} ms`);
        await node.kill();
      }
      return { value: samples.toSorted((a, b) => a - b)[samples.length >> 1]!, baseline };
    } finally {
      await network.stop();
    }
  },
};

/** A life in which everything is verified and a round is held. @returns milliseconds until all was verified */
async function firstLife(network: TestNetwork): Promise<number> {
  const began = performance.now();
  const node = await network.start(network.made.nodes[0]!);
  await until(
    'everything to be verified',
    async () => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      const { list, consensus } = await node.admin.call('status', {});
      return list.records === STORED_ITEMS && consensus.counters.pendingVerifications === 0 ? true : undefined;
    },
    VERIFY_LIMIT_MS,
  );
  const tookMs = performance.now() - began;
  const { ended } = await node.admin.call('round', { begin: true, wait: true, timeoutMs: 120_000 });
  if (ended?.published !== true) throw new Error(`there is no directory: ${ended?.reason}`);
  // Verdicts are written within a second.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  await node.kill();
  return tookMs;
}

export default [publishes('first'), publishes('refresh'), spread(50), spread(99), restart];
