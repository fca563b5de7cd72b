import type { Bench } from '../bench.js';
import { hashicorp } from '../hashicorp.js';
import { BenchCluster, commitEntries, load } from '../raft-cluster.js';
import { collectedHeapBytes } from '../heap.js';
import { median } from '../rate.js';

const nodes = 3;
const backlog = 200_000;
const entryBytes = 256;

/** From the end of the leader to the first entry that another one commits, with the timeouts of the baseline. */
const failover: Bench = {
  name: 'raft/failover/150ms',
  unit: 'ms',
  run: async (context) => {
    const times: number[] = [];
    for (let i = 0; i < context.effort.repeats * 3; i++) {
      const cluster = await BenchCluster.start(nodes, {
        heartbeatTimeoutMs: 150,
        electionTimeoutMs: 150,
        leaderLeaseTimeoutMs: 150,
        commitTimeoutMs: 5,
      });
      const leader = await cluster.leader();
      await load(leader, 16, entryBytes, 0.2);
      const begin = performance.now();
      cluster.network.disconnect(leader.id);
      cluster.rafts = cluster.rafts.filter((raft) => raft !== leader);
      await leader.shutdown();
      await cluster.leader();
      times.push(performance.now() - begin);
      await cluster.stop();
    }
    const result = await hashicorp({ scenario: 'failover', mode: 'inmem', n: nodes, tuned: true }, context);
    const theirs = result?.['accepted_ms'];
    return { value: median(times), baseline: typeof theirs === 'number' ? theirs : undefined };
  },
};

/** From the heal of a cut to the moment in which the follower has applied the backlog. */
const catchUp: Bench = {
  name: `raft/catch-up/${backlog}`,
  unit: 'ms',
  run: async (context) => {
    const times: number[] = [];
    for (let i = 0; i < context.effort.repeats; i++) {
      const cluster = await BenchCluster.start(nodes, { trailingLogs: backlog * 2 });
      const leader = await cluster.leader();
      const behind = cluster.rafts.find((raft) => raft !== leader)!;
      cluster.network.isolate(behind.id);
      await commitEntries(leader, backlog, entryBytes);
      const target = leader.commitIndex;
      const begin = performance.now();
      cluster.network.heal();
      while (behind.appliedIndex < target) await new Promise((resolve) => setImmediate(resolve));
      times.push(performance.now() - begin);
      await cluster.stop();
    }
    const result = await hashicorp(
      { scenario: 'catchup', mode: 'inmem', n: nodes, entries: backlog, size: entryBytes },
      context,
    );
    const theirs = result?.['caught_up_ms'];
    return { value: median(times), baseline: typeof theirs === 'number' ? theirs : undefined };
  },
};

/** Cost of a commit in a log of a million entries, beside that in an empty one: flat is 1. */
const flatness: Bench = {
  name: 'raft/inmem/256B/1024/after-1M',
  unit: 'commit/s',
  run: async ({ effort }) => {
    const cluster = await BenchCluster.start(nodes);
    const leader = await cluster.leader();
    await load(leader, 1024, 16, Math.min(0.5, effort.seconds));
    const { commitsPerSecond: baseline } = await load(leader, 1024, 16, effort.seconds);
    await commitEntries(leader, Math.max(0, 1_000_000 - leader.lastIndex), 16);
    const { commitsPerSecond: value } = await load(leader, 1024, 16, effort.seconds);
    await cluster.stop();
    return { value, baseline };
  },
};

/** Heap per entry stored on three nodes of one process, of which all but one hold references only. */
const memory: Bench = {
  name: 'raft/heap-per-entry/256B',
  unit: 'B',
  run: async (context) => {
    const cluster = await BenchCluster.start(nodes, { trailingLogs: backlog * 2 });
    const leader = await cluster.leader();
    const before = collectedHeapBytes();
    await commitEntries(leader, backlog, entryBytes);
    const value = (collectedHeapBytes() - before) / (backlog * nodes);
    await cluster.stop();
    const result = await hashicorp(
      { scenario: 'memory', mode: 'inmem', n: nodes, entries: backlog, size: entryBytes },
      context,
    );
    const theirs = result?.['bytes_per_entry_per_node'];
    return { value, baseline: typeof theirs === 'number' ? theirs : undefined };
  },
};

export default [failover, catchUp, flatness, memory];
