/** What the tests here do again and again with a cluster. */
import type { RaftError } from '../../src/index.js';
import type { TestCluster, TestServer } from '../support/test-cluster.js';

/** The servers that are up and do not lead. */
export async function followersOf(cluster: TestCluster): Promise<TestServer[]> {
  const leader = await cluster.leader();
  return cluster.up.filter(({ id }) => id !== leader.id);
}

/** Applies numbered lines at once at the leader, and waits for all of them. */
export async function applyLines(cluster: TestCluster, count: number, from = 0): Promise<void> {
  const { raft } = await cluster.leader();
  const applied = Array.from({ length: count }, (_, i) => raft.apply(Buffer.from(`line ${from + i}`)));
  await cluster.clock.resolve(Promise.all(applied), 20_000);
}

/** Waits in virtual time for a promise. */
export function settled<T>(cluster: TestCluster, promise: Promise<T>): Promise<T> {
  return cluster.clock.resolve(promise, 20_000);
}

/** The code with which a call is rejected; `resolved` when it is not. */
export async function codeOf(cluster: TestCluster, promise: Promise<unknown>): Promise<string> {
  return settled(
    cluster,
    promise.then(
      () => 'resolved',
      (error: RaftError) => error.code,
    ),
  );
}

/** Members as `a:voter b:nonvoter`, in the order of their names. */
export function membersOf({ raft }: TestServer): string {
  const { servers } = raft.getConfiguration().configuration;
  return servers
    .map(({ id, suffrage }) => `${id}:${suffrage}`)
    .sort()
    .join(' ');
}

export function addressOf(id: string): string {
  return `address-of-${id}`;
}
