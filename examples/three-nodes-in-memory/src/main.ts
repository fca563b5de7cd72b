// Three Raft nodes in one process: a state machine, a network, an election, a lost leader.
import { MemoryNetwork, MemoryTransport } from '@discovery-raft/memory-transport';
import {
  MemoryLogStore,
  MemorySnapshotStore,
  MemoryStableStore,
  Raft,
  systemClock,
  type LogEntry,
  type SnapshotBytes,
  type StateMachine,
} from '@discovery-raft/raft-core';

/** Adds up numbers; each node has its own, and the log keeps them equal. */
class Sum implements StateMachine<number> {
  total = 0;

  apply(entry: LogEntry): number {
    this.total += Number(Buffer.from(entry.data).toString());
    return this.total;
  }

  snapshot(): ReturnType<StateMachine['snapshot']> {
    const text = String(this.total);
    return { persist: (write) => write(Buffer.from(text)), release() {} };
  }

  async restore(bytes: SnapshotBytes): Promise<void> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of bytes) chunks.push(chunk);
    this.total = Number(Buffer.concat(chunks).toString());
  }
}

const network = new MemoryNetwork({ clock: systemClock });
const ids = ['ada', 'bob', 'cyd'];
const servers = ids.map((id) => ({ id, address: id, suffrage: 'voter' as const }));
let nodes = await Promise.all(
  ids.map(async (id) => {
    const transport = new MemoryTransport({ id, address: id });
    network.connect(transport);
    const machine = new Sum();
    const raft = await Raft.create({
      id,
      address: id,
      transport,
      logStore: new MemoryLogStore(),
      stableStore: new MemoryStableStore(),
      snapshotStore: new MemorySnapshotStore(),
      stateMachine: machine,
      config: { heartbeatTimeoutMs: 200, electionTimeoutMs: 200, leaderLeaseTimeoutMs: 100 },
    });
    await raft.bootstrap({ servers });
    return { raft, machine, transport };
  }),
);

/** The node that leads; waits until there is one. */
async function leader(): Promise<Raft<number>> {
  for (;;) {
    const found = nodes.find(({ raft }) => raft.state === 'leader');
    if (found) return found.raft;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const first = await leader();
const { index, response } = await first.apply(Buffer.from('40'));
process.stdout.write(`${first.id} leads term ${first.term}; entry ${index} makes the sum ${response}\n`);

network.disconnect(first.id);
const gone = nodes.find(({ raft }) => raft === first);
nodes = nodes.filter((node) => node !== gone);
await first.shutdown();
await gone?.transport.close();

const second = await leader();
const after = await second.apply(Buffer.from('2'));
process.stdout.write(`${first.id} is gone; ${second.id} leads term ${second.term}, and the sum is ${after.response}\n`);
if (after.response !== 42) process.exitCode = 1;
for (const { raft, transport } of nodes) {
  await raft.shutdown();
  await transport.close();
}
