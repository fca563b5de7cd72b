import { MemoryNetwork, MemoryTransport } from '@discovery-raft/memory-transport';
import {
  MemoryLogStore,
  MemorySnapshotStore,
  MemoryStableStore,
  Raft,
  systemClock,
  type LogEntry,
  type RaftConfig,
  type StateMachine,
  type Transport,
} from '@discovery-raft/raft-core';
import { TcpTransport } from './tcp-transport.js';

/** Counts what it applies, as the baseline's state machine does. */
class Counter implements StateMachine<number> {
  #applied = 0;

  apply(_entry: LogEntry): number {
    return ++this.#applied;
  }

  snapshot(): { persist(): void; release(): void } {
    return { persist() {}, release() {} };
  }

  restore(): Promise<void> {
    return Promise.resolve();
  }
}

/** How the nodes reach each other. In memory nothing is copied between them: neither does the baseline's transport. */
export type Medium = 'inmem' | 'tcp';

/** Nodes in this process. */
export class BenchCluster {
  readonly network = new MemoryNetwork({ clock: systemClock });
  rafts: Raft<number>[] = [];
  readonly #transports: Transport[] = [];

  static async start(nodes: number, config: Partial<RaftConfig> = {}, medium: Medium = 'inmem'): Promise<BenchCluster> {
    const cluster = new BenchCluster();
    const ids = Array.from({ length: nodes }, (_, i) => `node-${i}`);
    for (const id of ids) cluster.#transports.push(await cluster.#connect(id, medium));
    const servers = cluster.#transports.map((transport) => ({
      id: transport.localId,
      address: transport.localAddress,
      suffrage: 'voter' as const,
    }));
    for (const transport of cluster.#transports) {
      const stores = {
        logStore: new MemoryLogStore(),
        stableStore: new MemoryStableStore(),
        snapshotStore: new MemorySnapshotStore(),
      };
      const raft = await Raft.create<number>({
        id: transport.localId,
        address: transport.localAddress,
        transport,
        ...stores,
        stateMachine: new Counter(),
        config,
      });
      await raft.bootstrap({ servers });
      cluster.rafts.push(raft);
    }
    return cluster;
  }

  async #connect(id: string, medium: Medium): Promise<Transport> {
    if (medium === 'tcp') return TcpTransport.listen(id);
    const transport = new MemoryTransport({ id, address: id, copy: false });
    this.network.connect(transport);
    return transport;
  }

  /** The node that leads and can commit; waits for it. */
  async leader(): Promise<Raft<number>> {
    for (;;) {
      const leader = this.rafts.find(({ state }) => state === 'leader');
      if (leader !== undefined) {
        await leader.barrier();
        return leader;
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.rafts.map((raft) => raft.shutdown()));
    await Promise.all(this.#transports.map((transport) => transport.close()));
  }
}

/** What a load found. */
export interface Load {
  readonly commitsPerSecond: number;
  /** Milliseconds from `apply` to its result, ascending. */
  readonly latenciesMs: Float64Array;
}

const MAX_SAMPLES = 2_000_000;
/** One for all loads: 16 MiB for each would bring the collector on. */
const samples = new Float64Array(MAX_SAMPLES);

/** Keeps `inFlight` proposals of `bytes` under way for a while. */
export async function load(leader: Raft<number>, inFlight: number, bytes: number, seconds: number): Promise<Load> {
  const data = new Uint8Array(bytes).fill(7);
  const begin = performance.now();
  const end = begin + seconds * 1000;
  let committed = 0;
  const client = async (): Promise<void> => {
    for (let at = performance.now(); at < end;) {
      await leader.apply(data);
      const now = performance.now();
      if (committed < MAX_SAMPLES) samples[committed] = now - at;
      committed++;
      at = now;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, client));
  const commitsPerSecond = (committed / (performance.now() - begin)) * 1000;
  return { commitsPerSecond, latenciesMs: samples.slice(0, Math.min(committed, MAX_SAMPLES)).sort() };
}

/** Commits `count` entries, 1024 in flight, each with bytes of its own. */
export async function commitEntries(leader: Raft<number>, count: number, bytes: number): Promise<void> {
  let next = 0;
  const client = async (): Promise<void> => {
    while (next++ < count) await leader.apply(new Uint8Array(bytes));
  };
  await Promise.all(Array.from({ length: 1024 }, client));
}
