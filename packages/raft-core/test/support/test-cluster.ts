import {
  MemoryLogStore,
  MemorySnapshotStore,
  MemoryStableStore,
  Raft,
  RaftError,
  SimulatedClock,
  seededRandom,
  type ApplyContext,
  type LogEntry,
  type LogStore,
  type Random,
  type RaftConfig,
  type ResponseOf,
  type RpcHandler,
  type RpcRequest,
  type RpcResponse,
  type Server,
  type ServerId,
  type SnapshotBytes,
  type SnapshotStore,
  type StableStore,
  type StateMachine,
  type StateMachineSnapshot,
  type Transport,
} from '../../src/index.js';

/** Everything that was applied, as text; `apply` returns how much there is. */
export class TextMachine implements StateMachine<number> {
  lines: string[] = [];
  /** Tombstones that it was told of, by index: the hash as hex. */
  readonly tombstones = new Map<number, string>();
  /** Decides what an applied line redacts. */
  onApply: (entry: LogEntry, context: ApplyContext) => void = () => {};

  apply(entry: LogEntry, context: ApplyContext): number {
    this.onApply(entry, context);
    return this.lines.push(Buffer.from(entry.data).toString());
  }

  applyTombstone({ index, data }: LogEntry): void {
    this.tombstones.set(index, Buffer.from(data).toString('hex'));
  }

  snapshot(): StateMachineSnapshot {
    const text = JSON.stringify(this.lines);
    return { persist: (write) => write(Buffer.from(text)), release() {} };
  }

  async restore(bytes: SnapshotBytes): Promise<void> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of bytes) chunks.push(chunk);
    this.lines = JSON.parse(Buffer.concat(chunks).toString()) as string[];
  }
}

/** What a test may do to a message: let it pass, lose it, or change it. */
export type Filter = (from: ServerId, to: ServerId, message: RpcRequest | RpcResponse) => boolean;

/** A network of virtual time: 1 ms a hop, in order. */
export class TestNetwork {
  readonly #clock: SimulatedClock;
  readonly #handlers = new Map<ServerId, RpcHandler>();
  readonly #cut = new Set<string>();
  /** Every message that was delivered, newest last. */
  readonly delivered: { from: ServerId; to: ServerId; message: RpcRequest | RpcResponse }[] = [];
  latencyMs = 1;
  filter: Filter = () => true;

  constructor(clock: SimulatedClock) {
    this.#clock = clock;
  }

  transport(id: ServerId): Transport {
    return {
      localId: id,
      localAddress: `address-of-${id}`,
      send: <R extends RpcRequest>(target: Server, request: R, timeoutMs: number) =>
        this.#send(id, target.id, request, timeoutMs) as Promise<ResponseOf[R['kind']]>,
      setHandler: (handler) => {
        this.#handlers.set(id, handler);
      },
      close: async () => {
        this.#handlers.delete(id);
      },
    };
  }

  /** Hands a request to a server at once, past the network. */
  handle(to: ServerId, request: RpcRequest): Promise<RpcResponse> {
    return this.#handlers.get(to)!(request);
  }

  remove(id: ServerId): void {
    this.#handlers.delete(id);
  }

  /** No message goes from `a` to `b` any more. */
  cutOneWay(a: ServerId, b: ServerId): void {
    this.#cut.add(`${a}>${b}`);
  }

  cut(a: ServerId, b: ServerId): void {
    this.cutOneWay(a, b);
    this.cutOneWay(b, a);
  }

  isolate(id: ServerId): void {
    for (const other of this.#handlers.keys()) if (other !== id) this.cut(id, other);
  }

  heal(): void {
    this.#cut.clear();
  }

  #send(from: ServerId, to: ServerId, request: RpcRequest, timeoutMs: number): Promise<RpcResponse> {
    return new Promise((resolve, reject) => {
      this.#clock.setTimer(timeoutMs, () => reject(new RaftError('RAFT_TRANSPORT_TIMEOUT', `${to} did not answer`)));
      this.#deliver(from, to, request, () => {
        const handler = this.#handlers.get(to);
        if (handler === undefined) return reject(new RaftError('RAFT_TRANSPORT_FAILED', `${to} is down`));
        handler(request).then(
          (response) => this.#deliver(to, from, response, () => resolve(response)),
          () => this.#deliver(to, from, null, () => reject(new RaftError('RAFT_TRANSPORT_FAILED', `${to} refused`))),
        );
      });
    });
  }

  #deliver(from: ServerId, to: ServerId, message: RpcRequest | RpcResponse | null, arrive: () => void): void {
    this.#clock.setTimer(this.latencyMs, () => {
      if (this.#cut.has(`${from}>${to}`) || (message !== null && !this.filter(from, to, message))) return;
      if (message !== null) this.delivered.push({ from, to, message });
      arrive();
    });
  }
}

/** One server of a test cluster with what outlives its crashes. */
export interface TestServer {
  readonly id: ServerId;
  readonly logStore: MemoryLogStore;
  readonly stableStore: MemoryStableStore;
  readonly snapshotStore: MemorySnapshotStore;
  machine: TextMachine;
  raft: Raft<number>;
  up: boolean;
}

/** The stores of one server. */
export interface Stores {
  readonly logStore: LogStore;
  readonly stableStore: StableStore;
  readonly snapshotStore: SnapshotStore;
}

/** Puts something between a server and its stores. */
export type StoreWrapper = (id: ServerId, stores: MemoryStores) => Stores;

type MemoryStores = Pick<TestServer, 'logStore' | 'stableStore' | 'snapshotStore'>;

export interface ClusterOptions {
  readonly seed?: number;
  readonly config?: Partial<RaftConfig>;
  readonly wrap?: StoreWrapper;
}

/** A cluster in virtual time, on in-memory stores that outlive its servers. */
export class TestCluster {
  readonly clock = new SimulatedClock();
  readonly network = new TestNetwork(this.clock);
  readonly random: Random;
  readonly servers = new Map<ServerId, TestServer>();
  readonly #config: Partial<RaftConfig>;
  readonly #wrap: StoreWrapper;

  private constructor(seed: number, config: Partial<RaftConfig>, wrap: StoreWrapper) {
    this.random = seededRandom(seed);
    this.#config = config;
    this.#wrap = wrap;
  }

  /** Starts `n` servers named a, b, c, … of one cluster. */
  static async start(n: number, options: ClusterOptions = {}): Promise<TestCluster> {
    const cluster = new TestCluster(options.seed ?? 1, options.config ?? {}, options.wrap ?? ((_, stores) => stores));
    const ids = Array.from({ length: n }, (_, i) => String.fromCharCode(97 + i));
    for (const id of ids) await cluster.add(id);
    const servers = ids.map((id) => ({ id, address: `address-of-${id}`, suffrage: 'voter' as const }));
    for (const id of ids) await cluster.server(id).raft.bootstrap({ servers });
    return cluster;
  }

  server(id: ServerId): TestServer {
    const server = this.servers.get(id);
    if (server === undefined) throw new Error(`there is no server ${id}`);
    return server;
  }

  raft(id: ServerId): Raft<number> {
    return this.server(id).raft;
  }

  get up(): TestServer[] {
    return [...this.servers.values()].filter((server) => server.up);
  }

  /** Adds a server with empty stores. */
  async add(id: ServerId): Promise<TestServer> {
    const stores = {
      logStore: new MemoryLogStore(),
      stableStore: new MemoryStableStore(),
      snapshotStore: new MemorySnapshotStore(),
    };
    const machine = new TextMachine();
    const server: TestServer = { id, ...stores, machine, raft: await this.#create(id, stores, machine), up: true };
    this.servers.set(id, server);
    return server;
  }

  /** Stops a server; its stores stay. */
  async stop(id: ServerId): Promise<void> {
    const server = this.server(id);
    server.up = false;
    this.network.remove(id);
    await server.raft.shutdown();
  }

  /** Starts a stopped server from its stores. */
  async restart(id: ServerId): Promise<void> {
    const server = this.server(id);
    server.machine = new TextMachine();
    server.raft = await this.#create(id, server, server.machine);
    server.up = true;
  }

  /** The one leader that a majority follows; waits for it. */
  async leader(limitMs = 20_000): Promise<TestServer> {
    let found: TestServer | undefined;
    await this.clock.advanceUntil(() => {
      const leaders = this.up.filter(({ raft }) => raft.state === 'leader');
      const newest = leaders.sort((a, b) => b.raft.term - a.raft.term)[0];
      const followers = this.up.filter(({ raft }) => raft.term === newest?.raft.term && raft.leader?.id === newest.id);
      found = newest !== undefined && followers.length * 2 > this.servers.size ? newest : undefined;
      return found !== undefined;
    }, limitMs);
    return found!;
  }

  /** Applies a line at the leader. */
  async apply(line: string, at?: TestServer): Promise<{ index: number; term: number; response: number }> {
    const server = at ?? (await this.leader());
    return this.clock.resolve(server.raft.apply(Buffer.from(line)), 20_000);
  }

  /** Waits until all servers that are up have applied the same. */
  async converge(limitMs = 20_000): Promise<string[]> {
    await this.clock.advanceUntil(() => {
      const [first, ...rest] = this.up;
      return rest.every(
        ({ raft, machine }) =>
          raft.appliedIndex === first!.raft.appliedIndex &&
          raft.lastIndex === raft.appliedIndex &&
          machine.lines.length === first!.machine.lines.length,
      );
    }, limitMs);
    const lines = this.up.map(({ machine }) => machine.lines.join('\n'));
    if (new Set(lines).size !== 1) throw new Error(`state machines differ: ${JSON.stringify(lines)}`);
    return this.up[0]!.machine.lines;
  }

  async shutdown(): Promise<void> {
    for (const { raft } of this.servers.values()) await raft.shutdown();
  }

  #create(id: ServerId, stores: MemoryStores, machine: TextMachine): Promise<Raft<number>> {
    const wrapped = this.#wrap(id, stores);
    return Raft.create<number>({
      id,
      address: `address-of-${id}`,
      transport: this.network.transport(id),
      logStore: wrapped.logStore,
      stableStore: wrapped.stableStore,
      snapshotStore: wrapped.snapshotStore,
      stateMachine: machine,
      clock: this.clock,
      random: this.random,
      config: this.#config,
    });
  }
}
