import {
  Raft,
  RaftError,
  type Configuration,
  type LogEntry,
  type ResponseOf,
  type RpcHandler,
  type RpcRequest,
  type Server,
  type ServerId,
  type StateMachine,
  type Transport,
} from '@discovery-raft/raft-core';
import type { LmdbStore } from '../src/index.js';
import { openTemp } from './support/temp.js';

const SERVERS: readonly Server[] = ['a', 'b', 'c'].map((id) => ({ suffrage: 'voter', id, address: id }));
const CONFIGURATION: Configuration = { servers: SERVERS };

/** Calls the handler of the other node, in a later turn. */
class DirectTransport implements Transport {
  readonly localId: ServerId;
  readonly localAddress: string;
  readonly #network: Map<ServerId, RpcHandler>;

  constructor(id: ServerId, network: Map<ServerId, RpcHandler>) {
    this.localId = this.localAddress = id;
    this.#network = network;
  }

  setHandler(handler: RpcHandler): void {
    this.#network.set(this.localId, handler);
  }

  async send<R extends RpcRequest>(target: Server, request: R): Promise<ResponseOf[R['kind']]> {
    await new Promise((resolve) => setImmediate(resolve));
    const handler = this.#network.get(target.id);
    if (handler === undefined) throw new RaftError('RAFT_TRANSPORT_FAILED', `${target.id} is away`);
    return (await handler(request)) as ResponseOf[R['kind']];
  }

  async close(): Promise<void> {
    this.#network.delete(this.localId);
    await Promise.resolve();
  }
}

/** Keeps the newest value of each first byte; the entry that it replaces is redacted. */
class NewestValues implements StateMachine<number> {
  values = new Map<number, { index: number; text: string }>();

  apply({ index, data }: LogEntry, context: { redact(index: number): void }): number {
    const key = data[0]!;
    const old = this.values.get(key);
    if (old !== undefined) context.redact(old.index);
    this.values.set(key, { index, text: Buffer.from(data).toString() });
    return index;
  }

  snapshot() {
    const text = JSON.stringify([...this.values]);
    return { persist: (write: (chunk: Uint8Array) => unknown) => void write(Buffer.from(text)), release() {} };
  }

  async restore(bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of bytes) chunks.push(chunk);
    this.values = new Map(JSON.parse(Buffer.concat(chunks).toString()) as [number, { index: number; text: string }][]);
  }
}

interface Node {
  readonly raft: Raft<number>;
  readonly store: LmdbStore;
  readonly machine: NewestValues;
}

async function start(paths: ReadonlyMap<ServerId, string>): Promise<Node[]> {
  const network = new Map<ServerId, RpcHandler>();
  const nodes: Node[] = [];
  for (const { id } of SERVERS) {
    const path = paths.get(id);
    const store = await openTemp({ cacheBytes: 2000, ...(path !== undefined && { path }) });
    const machine = new NewestValues();
    const { logStore, stableStore, snapshotStore } = store;
    const transport = new DirectTransport(id, network);
    const config = { heartbeatTimeoutMs: 150, electionTimeoutMs: 150, leaderLeaseTimeoutMs: 100, trailingLogs: 10 };
    const raft = await Raft.create({
      id,
      address: id,
      transport,
      logStore,
      stableStore,
      snapshotStore,
      stateMachine: machine,
      config,
    });
    nodes.push({ raft, store, machine });
  }
  return nodes;
}

function leaderOf(nodes: readonly Node[]): Promise<Node> {
  return new Promise((resolve) => {
    for (const node of nodes) {
      if (node.raft.state === 'leader') resolve(node);
      node.raft.on('stateChange', ({ to }) => void (to === 'leader' && resolve(node)));
    }
  });
}

async function stop(nodes: readonly Node[]): Promise<void> {
  for (const { raft } of nodes) await raft.shutdown();
  for (const { store } of nodes) await store.close();
}

let nodes: readonly Node[] = [];
afterEach(() => stop(nodes));

test('a cluster keeps what it acknowledged through restarts, redactions and snapshots', async () => {
  nodes = await start(new Map());
  const paths = new Map(nodes.map(({ raft, store }) => [raft.id, store.path]));
  await nodes[0]!.raft.bootstrap(CONFIGURATION);
  const expected = new Map<number, string>();
  for (let round = 0; round < 3; round++) {
    const leader = await leaderOf(nodes);
    const texts = Array.from({ length: 200 }, (_, i) => `${String.fromCharCode(65 + (i % 20))}-${round}-${i}`);
    await Promise.all(texts.map((text) => leader.raft.apply(Buffer.from(text))));
    for (const text of texts) expected.set(text.charCodeAt(0), text);
    if (round === 1) await leader.raft.snapshot();
    await stop(nodes);
    nodes = await start(paths);
    const next = await leaderOf(nodes);
    await next.raft.barrier();
    expect(new Map([...next.machine.values].map(([key, { text }]) => [key, text]))).toEqual(expected);
    for (const { store } of nodes) await store.verify();
  }
});
