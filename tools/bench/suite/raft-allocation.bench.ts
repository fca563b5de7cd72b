import { Session, type HeapProfiler } from 'node:inspector';
import type { Bench } from '../bench.js';
import { BenchCluster, commitEntries } from '../raft-cluster.js';

const commits = 200_000;
const entryBytes = 256;

/** Bytes that this process allocates while some work runs, what was freed meanwhile too; a statistical figure. */
async function allocatedBytes(work: () => Promise<void>): Promise<number> {
  const session = new Session();
  session.connect();
  const post = <T>(method: string, parameters: object = {}): Promise<T> =>
    new Promise((resolve, reject) => {
      session.post(method, parameters, (error, result) => (error ? reject(error) : resolve(result as T)));
    });
  const all = { includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true };
  await post('HeapProfiler.startSampling', { samplingInterval: 16_384, ...all });
  await work();
  const { profile } = await post<HeapProfiler.StopSamplingReturnType>('HeapProfiler.stopSampling');
  session.disconnect();
  const sumOf = (node: HeapProfiler.SamplingHeapProfileNode): number =>
    node.children.reduce((sum, child) => sum + sumOf(child), node.selfSize);
  return sumOf(profile.head);
}

/** Bytes allocated on the heap for one commit, on all three nodes and by the client; the entry's own bytes are shared. */
const allocation: Bench = {
  name: 'raft/allocation-per-commit/1024',
  unit: 'B',
  run: async () => {
    const cluster = await BenchCluster.start(3);
    const leader = await cluster.leader();
    await commitEntries(leader, commits / 4, entryBytes);
    const bytes = await allocatedBytes(() => commitEntries(leader, commits, entryBytes));
    await cluster.stop();
    return { value: bytes / commits };
  },
};

export default [allocation];
