import { NodeSigner, oneRoot, PacketSignatures, RaftBridge } from '@discovery-raft/discovery-node';
import { MemoryTransport } from '@discovery-raft/memory-transport';
import { DEFAULT_LIMITS } from '@discovery-raft/psp-envelope';
import {
  importLinkCredentials,
  LinkKeeper,
  MessageChannel,
  newChannelCounters,
  PspListener,
  type ByteChannel,
  type LinkCredentials,
  type PeerLink,
} from '@discovery-raft/psp-link';
import { createTrustRoot } from '@discovery-raft/psp-pki';
import { Raft, silentLogger, systemClock, systemRandom, type StateMachine } from '@discovery-raft/raft-core';
import { LmdbStore } from '@discovery-raft/raft-store-lmdb';
import { benchIdentity } from './bench-identity.js';
import type { FromNode, Load, LoadResult, NodePlan, ToNode } from './messages.js';

// One node of the durable cluster: a process of its own, Raft on LMDB, its RPCs inside PSP over TLS. Nothing of discovery.

const VERSION = 'xpx-discovery-1.0';

/** Counts what it applies. */
class Counter implements StateMachine<number> {
  #applied = 0;
  apply(): number {
    return ++this.#applied;
  }
  snapshot(): ReturnType<StateMachine['snapshot']> {
    const text = Buffer.from(String(this.#applied));
    return { persist: (write) => write(text), release() {} };
  }
  async restore(bytes: AsyncIterable<Uint8Array>): Promise<void> {
    let text = '';
    for await (const chunk of bytes) text += Buffer.from(chunk).toString();
    this.#applied = Number(text);
  }
}

interface Opened {
  readonly plan: NodePlan;
  readonly credentials: LinkCredentials;
  readonly listener: PspListener;
  keeper: LinkKeeper | null;
  raft: Raft<number> | null;
  store: LmdbStore | null;
}

let opened: Opened | null = null;

function tell(message: FromNode): void {
  process.send?.(message);
}

async function open(plan: NodePlan): Promise<void> {
  const credentials = importLinkCredentials(plan.credentials);
  const trusted = new Set(plan.nodes.map(({ fingerprint }) => fingerprint));
  const listener = await PspListener.listen({
    host: '127.0.0.1',
    port: 0,
    credentials,
    trusted: (fingerprint) => trusted.has(fingerprint),
    onConnection: (connection) => {
      if (opened?.keeper) opened.keeper.accept(connection);
      else connection.close();
    },
  });
  opened = { plan, credentials, listener, keeper: null, raft: null, store: null };
  tell({ type: 'opened', port: listener.port });
}

async function join(node: Opened, ports: readonly number[]): Promise<void> {
  const { plan, credentials } = node;
  const { nodes, index } = plan;
  const self = nodes[index]!;
  const store = await LmdbStore.open({ path: plan.folder });
  const transport = new MemoryTransport({ id: self.id, address: self.id, clock: systemClock, copy: false });
  const links = new Map<string, { readonly main: MessageChannel; readonly bulk: MessageChannel }>();
  const bridge = new RaftBridge({
    self: self.id,
    protocolVersion: VERSION,
    transport,
    limits: DEFAULT_LIMITS,
    logger: silentLogger,
    isMember: (id) => nodes.some((other) => other.id === id),
    guard: guardOf(plan),
    send: async (peer, packet, lane) => {
      const link = links.get(peer);
      if (link === undefined) throw new Error(`no link to ${peer}`);
      await link[lane].sendEncoded('discoveryRaftPacket', packet);
    },
  });
  const counters = newChannelCounters();
  const keeper = new LinkKeeper({
    self: self.fingerprint,
    credentials,
    peers: nodes.flatMap(({ id, fingerprint }, i) =>
      i === index ? [] : [{ id, fingerprint, host: '127.0.0.1', port: ports[i]! }],
    ),
    clock: systemClock,
    random: systemRandom(),
  });
  keeper.onLink((peer: string, link: PeerLink) => {
    bridge.connected(peer);
    const channel = (bytes: ByteChannel): MessageChannel =>
      new MessageChannel(bytes, {
        limits: DEFAULT_LIMITS,
        logger: silentLogger,
        counters,
        receive: (message) => bridge.receive(peer, message.body),
      });
    links.set(peer, { main: channel(link.main), bulk: channel(link.bulk) });
  });
  const raft = await Raft.create<number>({
    id: self.id,
    address: self.id,
    transport,
    logStore: store.logStore,
    stableStore: store.stableStore,
    snapshotStore: store.snapshotStore,
    stateMachine: new Counter(),
  });
  node.store = store;
  node.keeper = keeper;
  node.raft = raft;
  raft.on('stateChange', ({ to }) => {
    if (to === 'leader') tell({ type: 'leads' });
  });
  await raft.bootstrap({ servers: nodes.map(({ id }) => ({ suffrage: 'voter', id, address: id })) });
}

/** Signs, and requires signatures, as a node does. */
function guardOf({ signingSeed, nodes }: NodePlan): PacketSignatures | undefined {
  if (signingSeed === null) return undefined;
  const identity = benchIdentity(Buffer.from(signingSeed, 'hex'));
  const root = createTrustRoot({
    // Nobody is vouched for here, but a root without authorities is none.
    authorities: nodes.map(({ id }) => id),
    discoveryNodes: nodes.map(({ id }) => id),
  });
  return new PacketSignatures({
    policy: 'require',
    signer: new NodeSigner(identity),
    roots: oneRoot(root),
    now: () => Date.now() / 1000,
    clock: systemClock,
    logger: silentLogger,
  });
}

/** Keeps so many proposals in flight, and notes how long each took until it was committed and applied here. */
async function load(raft: Raft<number>, { inFlight, bytes, seconds }: Load): Promise<LoadResult> {
  const latencies: number[] = [];
  const began = performance.now();
  const end = began + seconds * 1000;
  const data = new Uint8Array(bytes);
  const client = async (): Promise<void> => {
    for (let now = began; now < end;) {
      await raft.apply(data);
      const done = performance.now();
      latencies.push(done - now);
      now = done;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, client));
  const took = (performance.now() - began) / 1000;
  const sorted = Float64Array.from(latencies).sort();
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
  return { commits: sorted.length, seconds: took, p50Ms: at(0.5), p99Ms: at(0.99) };
}

async function stop(node: Opened): Promise<void> {
  await node.raft?.shutdown();
  node.keeper?.close();
  await node.listener.close();
  await node.store?.close();
  tell({ type: 'stopped' });
  process.disconnect();
}

async function take(message: ToNode): Promise<void> {
  if (message.type === 'open') return open(message.plan);
  if (opened === null) throw new Error('not open');
  if (message.type === 'join') return join(opened, message.ports);
  if (message.type === 'stop') return stop(opened);
  tell({ type: 'loaded', result: await load(opened.raft!, message.load) });
}

process.on('message', (message: ToNode) => {
  take(message).catch((error: unknown) => {
    tell({ type: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  });
});
// The benchmark is gone: nobody else would end this process.
process.on('disconnect', () => process.exit());
