import { MemoryNetwork, MemoryTransport } from '@discovery-raft/memory-transport';
import {
  MemoryLogStore,
  MemorySnapshotStore,
  MemoryStableStore,
  Raft,
  systemClock,
  type LogEntry,
  type StateMachine,
} from '@discovery-raft/raft-core';
import type { Bench, BenchContext, Measurement } from '../bench.js';
import { hashicorpCommitsPerSecond } from '../hashicorp.js';
import { median } from '../rate.js';

const nodes = 3;
const entryBytes = 256;

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

interface Cluster {
  readonly leader: Raft<number>;
  stop(): Promise<void>;
}

/** Three nodes in this process. Nothing is copied between them: neither does the baseline's transport. */
async function startCluster(): Promise<Cluster> {
  const network = new MemoryNetwork({ clock: systemClock });
  const ids = Array.from({ length: nodes }, (_, i) => `node-${i}`);
  const servers = ids.map((id) => ({ id, address: id, suffrage: 'voter' as const }));
  const rafts: Raft<number>[] = [];
  for (const id of ids) {
    const transport = new MemoryTransport({ id, address: id, copy: false });
    network.connect(transport);
    const stores = {
      logStore: new MemoryLogStore(),
      stableStore: new MemoryStableStore(),
      snapshotStore: new MemorySnapshotStore(),
    };
    const raft = await Raft.create<number>({ id, address: id, transport, ...stores, stateMachine: new Counter() });
    await raft.bootstrap({ servers });
    rafts.push(raft);
  }
  const leader = await new Promise<Raft<number>>((resolve) => {
    for (const raft of rafts) raft.on('stateChange', ({ to }) => to === 'leader' && resolve(raft));
  });
  await leader.barrier();
  return {
    leader,
    stop: async () => {
      await Promise.all(rafts.map((raft) => raft.shutdown()));
    },
  };
}

/** Keeps `inFlight` proposals under way for a while. */
async function commitsPerSecond(leader: Raft<number>, inFlight: number, seconds: number): Promise<number> {
  const data = new Uint8Array(entryBytes).fill(7);
  const end = performance.now() + seconds * 1000;
  let committed = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < end) {
      await leader.apply(data);
      committed++;
    }
  };
  const begin = performance.now();
  await Promise.all(Array.from({ length: inFlight }, client));
  return (committed / (performance.now() - begin)) * 1000;
}

async function measure(inFlight: number, context: BenchContext): Promise<Measurement> {
  const { seconds, repeats } = context.effort;
  const rates: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const cluster = await startCluster();
    await commitsPerSecond(cluster.leader, inFlight, Math.min(0.3, seconds));
    rates.push(await commitsPerSecond(cluster.leader, inFlight, seconds));
    await cluster.stop();
  }
  const baseline = await hashicorpCommitsPerSecond({ mode: 'inmem', n: nodes, size: entryBytes, conc: inFlight }, context);
  return { value: median(rates), baseline };
}

/** Committed and applied entries per second at the leader of three nodes; beside it, hashicorp/raft in memory. */
const benches: readonly Bench[] = [1, 64, 1024].map((inFlight) => ({
  name: `raft/inmem/${entryBytes}B/${inFlight}`,
  unit: 'commit/s',
  run: (context) => measure(inFlight, context),
}));

export default benches;
