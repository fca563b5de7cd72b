import { hash } from 'node:crypto';
import {
  DiscoveryConsensus,
  listLeader,
  listReader,
  MemoryDirectoryStore,
  type ConsensusClock,
  type ConsensusConfigInput,
  type DirectoryStore,
  type Member,
  type StoredDirectory,
  type Verifier,
} from '@discovery-raft/discovery-consensus-fsm';
import { MemoryTransport } from '@discovery-raft/memory-transport';
import type { DiscoveryRaftPacket } from '@discovery-raft/protocol';
import {
  decodeDiscoveryBody,
  DEFAULT_LIMITS,
  firstTrustRoot,
  type ApplicationMessage,
  type EnvelopeLimits,
  type RaftPacketFields,
} from '@discovery-raft/psp-envelope';
import type { TrustRoot, VerifyPool } from '@discovery-raft/psp-pki';
import {
  MemoryLogStore,
  MemorySnapshotStore,
  MemoryStableStore,
  Raft,
  silentLogger,
  systemClock,
  type Clock,
  type Logger,
  type LogStore,
  type RaftConfig,
  type Random,
  type SnapshotStore,
  type StableStore,
} from '@discovery-raft/raft-core';
import { ListWriter, type ListResult, type SharedList } from '@discovery-raft/raft-log-list';
import { MessageChannel, newChannelCounters, type ByteChannel, type ChannelCounters } from '@discovery-raft/psp-link';
import { NodeError } from '../errors.js';
import type { KnownNode } from '../roots/known-nodes.js';
import { ChainVerifierRoots } from '../roots/chain-verifier-roots.js';
import { pkiRootCrypto } from '../roots/pki-root-crypto.js';
import { RootKeeper } from '../roots/root-keeper.js';
import { RootService } from '../roots/root-service.js';
import { newDiscoveryList } from '../pki/list-schema.js';
import { NodeSigner, type NodeIdentity } from '../pki/node-identity.js';
import { PkiVerifier } from '../pki/pki-verifier.js';
import { RememberingVerifier, type PeriodMemory } from '../verdicts/remembering-verifier.js';
import { ClientSession, type ClientSource } from './client-session.js';
import {
  summariseDirectory,
  summariseList,
  summariseState,
  summariseRoots,
  type ListSummary,
  type NodeStatus,
} from './node-status.js';
import { PeerLinks } from './peer-links.js';
import { PacketSignatures, type SignatureCounts } from './packet-signatures.js';
import { RaftBridge } from './raft-bridge.js';
import type { SignaturePolicy } from './signature-policy.js';

/** Where a node keeps what outlives its process. */
export interface NodeStores {
  readonly logStore: LogStore;
  readonly stableStore: StableStore;
  readonly snapshotStore: SnapshotStore;
  readonly directoryStore: DirectoryStore;
}

/** What a node is made of. */
export interface DiscoveryNodeOptions {
  readonly identity: NodeIdentity;
  /** Whom this node believes. */
  readonly root: TrustRoot;
  /** The discovery nodes of `root`, and where they are; each identity is also a Raft server id. */
  readonly members: readonly KnownNode[];
  /** What is known of later versions of the root. Default: nothing yet, and in memory. */
  readonly roots?: RootKeeper;
  /** Settings of the consensus beside its members. */
  readonly consensus?: Omit<ConsensusConfigInput, 'members'>;
  readonly raft?: Partial<RaftConfig>;
  /** Default: in memory. */
  readonly stores?: NodeStores;
  /** Whether Raft packets are signed, and have to be; default `prefer`. */
  readonly signatures?: SignaturePolicy;
  /** Bounds on messages; default those of deployed clients. */
  readonly limits?: EnvelopeLimits;
  readonly clock?: Clock;
  /** Time as the consensus sees it; default the clock. Another one lets a demonstration pass a day in a minute. */
  readonly consensusClock?: ConsensusClock;
  readonly random?: Random;
  readonly logger?: Logger;
  /** Threads that verify and make signatures; may be shared by nodes of one process. Default libuv's pool. The caller closes it. */
  readonly verifyPool?: VerifyPool;
  /** Good verdicts of earlier lives of this node. The caller closes it. Default: none are remembered. */
  readonly verdicts?: PeriodMemory;
}

/** A link to a peer: the newest psp-link has both lanes, one stream each. */
export interface PeerLanes {
  /** For everything that must be prompt and in order. */
  readonly main: ByteChannel;
  /** For snapshots. Left out: they go by `main`, where a heartbeat waits for the chunk before it. */
  readonly bulk?: ByteChannel;
}

/** Stores in memory: what they hold ends with the process. */
export function memoryStores(): NodeStores {
  return {
    logStore: new MemoryLogStore(),
    stableStore: new MemoryStableStore(),
    snapshotStore: new MemorySnapshotStore(),
    directoryStore: new MemoryDirectoryStore(),
  };
}

/**
 * A discovery node: Raft, the shared list in its log, and the consensus on it, composed. It speaks PSP over the channels
 * that it is given; who is at a peer's other end was established by whoever made the channel.
 *
 * Order of calls: `create`, `attachPeer` for each link, `bootstrap` once in the life of a cluster, `attachClient` for each
 * client, `stop`.
 */
export class DiscoveryNode {
  readonly identity: string;
  readonly raft: Raft<ListResult>;
  readonly list: SharedList;
  readonly consensus: DiscoveryConsensus;
  /** Bytes and messages over all channels. */
  readonly traffic: ChannelCounters;
  /** The chain of trust roots. */
  readonly roots: RootKeeper;
  /** What follows from it. */
  readonly rootService: RootService;
  readonly #signer: NodeSigner;
  readonly #links: PeerLinks;
  readonly #bridge: RaftBridge;
  readonly #signatures: PacketSignatures | undefined;
  readonly #writer: ListWriter;
  readonly #transport: MemoryTransport;
  readonly #limits: EnvelopeLimits;
  readonly #logger: Logger;
  readonly #consensusClock: ConsensusClock;
  readonly #clients = new Set<MessageChannel>();
  #lastSummary: { readonly at: number; readonly summary: ListSummary } | null = null;
  #stopped = false;

  private constructor(options: DiscoveryNodeOptions, parts: Parts) {
    this.identity = options.identity.identity;
    this.raft = parts.raft;
    this.list = parts.list;
    this.consensus = parts.consensus;
    this.traffic = newChannelCounters();
    this.roots = parts.roots;
    this.#signer = parts.signer;
    this.#links = parts.links;
    this.#bridge = parts.bridge;
    this.#signatures = parts.signatures;
    this.#writer = parts.writer;
    this.#transport = parts.transport;
    this.#limits = options.limits ?? DEFAULT_LIMITS;
    this.#logger = options.logger ?? silentLogger;
    this.#consensusClock = parts.consensusClock;
    this.rootService = new RootService({
      ...{ self: this.identity, keeper: parts.roots, raft: parts.raft, logger: this.#logger },
      protocolVersion: options.root.profile.discoveryVersion,
      now: () => parts.consensusClock.wallNow() / 1000,
      clock: options.clock ?? systemClock,
      send: (peer, message) => parts.links.send(peer, message),
    });
  }

  /** Makes and starts a node. @throws RaftError, ConsensusError, PkiError, ListError of its parts */
  static async create(options: DiscoveryNodeOptions): Promise<DiscoveryNode> {
    const parts = await assemble(options);
    const node = new DiscoveryNode(options, parts);
    const tell = (): void => node.#tellConsensus();
    parts.raft.on('stateChange', tell).on('leaderChange', tell).on('shutdown', tell);
    parts.consensus.on('stateDiverged', () => void node.#stopDiverged());
    try {
      await parts.consensus.start();
    } catch (error) {
      // Raft runs already, and nobody would have a handle on it.
      await node.stop();
      throw error;
    }
    tell();
    node.rootService.start();
    return node;
  }

  /** Makes a new cluster of all members. To be called on each, once. @throws RaftError RAFT_ALREADY_BOOTSTRAPPED */
  async bootstrap(): Promise<void> {
    const servers = [...this.consensus.committee.members].map((identity) => ({
      suffrage: 'voter' as const,
      id: identity,
      address: identity,
    }));
    await this.raft.bootstrap({ servers });
  }

  /** Takes over a link whose other end is known to be `peer`, in place of an older one. A stopped node closes it. */
  attachPeer(peer: string, { main, bulk }: PeerLanes): void {
    if (this.#stopped) {
      main.close();
      bulk?.close();
      return;
    }
    this.#bridge.connected(peer);
    const receive = (message: ApplicationMessage): void => this.#fromPeer(peer, message);
    this.#links.attach(peer, {
      main: this.#messages(main, receive),
      bulk: bulk === undefined ? undefined : this.#messages(bulk, receive),
    });
    this.rootService.exchange.linked(peer);
  }

  /** Serves an anonymous client: publishes and pulls, nothing else. A stopped node closes the channel. */
  attachClient(from: ClientSource, channel: ByteChannel): void {
    if (this.#stopped) return channel.close();
    // What came before this call is received inside the next line.
    let session: ClientSession | undefined;
    const messages = this.#messages(channel, (message, client) => {
      session ??= new ClientSession(
        from,
        client,
        { consensus: this.consensus, roots: this.roots },
        this.#limits,
        this.#logger,
      );
      session.receive(message);
    });
    this.#clients.add(messages);
    messages.onClose(() => this.#clients.delete(messages));
  }

  /** The directory that this node serves now, null when it has none. */
  directory(): Promise<StoredDirectory | null> {
    return this.consensus.getDirectory();
  }

  /** What this node says of itself. Takes time in proportion to the list, unless nothing has changed since the last call. */
  status(): NodeStatus {
    const { raft, consensus, identity } = this;
    const { state, term, leader, lastIndex, commitIndex, appliedIndex } = raft;
    const now = this.#consensusClock.wallNow() / 1000;
    return {
      identity,
      now,
      raft: { state, term, leaderId: leader?.id ?? null, lastIndex, commitIndex, appliedIndex },
      consensus: { state: consensus.state, quorum: consensus.quorum, counters: consensus.counters },
      list: this.#listSummary(Math.floor(now)),
      state: summariseState(consensus.lastState),
      directory: summariseDirectory(consensus.currentDirectory),
      roots: summariseRoots(this.roots, this.consensus, now),
      peers: this.#peers().map((peer) => ({ identity: peer, linked: this.#links.isAuthenticated(peer) })),
      clients: this.#clients.size,
      traffic: { ...this.traffic },
      droppedPackets: this.droppedPackets,
    };
  }

  /** Raft packets of peers that were dropped, by reason. */
  get droppedPackets(): RaftBridge['refusals'] {
    return this.#bridge.refusals;
  }

  /** Raft packets of peers that were taken, by peer and by what they were signed with; empty where nobody looks. */
  get packetSignatures(): ReadonlyMap<string, Readonly<SignatureCounts>> {
    return this.#signatures?.counts ?? new Map();
  }

  /** Times that the log told a person that a peer's Raft packets are refused for their signatures. */
  get packetAlarms(): number {
    return this.#signatures?.alarms ?? 0;
  }

  /** Stops everything; idempotent. Given stores stay open. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.rootService.stop();
    this.consensus.shutdown();
    this.#writer.stepDown();
    this.#bridge.stop();
    await this.raft.shutdown();
    await this.#transport.close();
    this.#links.close();
    for (const client of [...this.#clients]) client.close();
  }

  /** Signs with another certificate and key of the same identity from now on. @throws NodeError NODE_KEYS_UNREADABLE */
  useIdentity(identity: NodeIdentity): void {
    this.#signer.use(identity);
  }

  /** The other nodes of the root in force and of those to come. */
  #peers(): readonly string[] {
    const rosters = this.roots.rosters();
    const named = rosters.flatMap(({ members }) => members.map((member) => member.identity));
    return [...new Set(named)].filter((peer) => peer !== this.identity && this.rootService.isNode(peer));
  }

  /** Raft stops too: nothing of a wrong state may reach others, or be handed to a new leader. */
  async #stopDiverged(): Promise<void> {
    try {
      await this.stop();
    } catch (error) {
      this.#logger.error('a node whose state differs could not be stopped', { error });
    }
  }

  #listSummary(nowSeconds: number): ListSummary {
    const view = this.list.view();
    const last = this.#lastSummary;
    if (last !== null && last.at === nowSeconds && last.summary.index === view.index) return last.summary;
    const summary = summariseList(view, this.list.liveBytes, nowSeconds, this.consensus.committee.attestationsNeeded);
    this.#lastSummary = { at: nowSeconds, summary };
    return summary;
  }

  #messages(
    channel: ByteChannel,
    receive: (message: ApplicationMessage, channel: MessageChannel) => void,
  ): MessageChannel {
    return new MessageChannel(channel, { limits: this.#limits, logger: this.#logger, counters: this.traffic, receive });
  }

  #tellConsensus(): void {
    const { state, leader, term } = this.raft;
    if (state !== 'leader') this.#writer.stepDown();
    this.consensus.raftStateChanged({ state, leaderId: leader?.id ?? null, term });
  }

  #fromPeer(peer: string, message: ApplicationMessage): void {
    // Raft's packets are many, and their bodies are read by the bridge, after its checks.
    if (message.event === 'discoveryRaftPacket') return this.#bridge.receive(peer, message.body);
    const decoded = decodeDiscoveryBody(message.event, message.body, this.#limits);
    if (decoded.event !== 'pullTrustRoots' && decoded.event !== 'trustRoots') {
      return void this.consensus.onMessage(peer, decoded);
    }
    this.rootService.exchange.receive(peer, decoded).catch((error: unknown) => {
      this.#logger.error('trust roots could not be stored', { peer, error });
    });
  }
}

interface Parts {
  readonly raft: Raft<ListResult>;
  readonly list: SharedList;
  readonly consensus: DiscoveryConsensus;
  readonly roots: RootKeeper;
  readonly signer: NodeSigner;
  readonly links: PeerLinks;
  readonly bridge: RaftBridge;
  readonly signatures: PacketSignatures | undefined;
  readonly writer: ListWriter;
  readonly transport: MemoryTransport;
  readonly consensusClock: ConsensusClock;
}

/** Without more, what the options say is all that is known, and lasts as long as the process. */
function defaultRoots({ root, members, logger, verifyPool }: DiscoveryNodeOptions): Promise<RootKeeper> {
  return RootKeeper.open({
    first: firstTrustRoot({ ...root, discoveryNodes: members.map(({ identity }) => identity) }),
    configured: members,
    crypto: pkiRootCrypto(verifyPool),
    ...(logger === undefined ? {} : { logger }),
  });
}

async function assemble(options: DiscoveryNodeOptions): Promise<Parts> {
  const { identity, logger = silentLogger, clock = systemClock, consensusClock = clock } = options;
  const roots = options.roots ?? (await defaultRoots(options));
  const members = namedWith(roots, identity.identity);
  const stores = options.stores ?? memoryStores();
  const limits = options.limits ?? DEFAULT_LIMITS;
  const self = identity.identity;
  const links = new PeerLinks();
  const list = newDiscoveryList(logger);
  // The bridge serialises every RPC, so the transport need not copy it.
  const transport = new MemoryTransport({ id: self, address: self, clock, copy: false });
  const signer = new NodeSigner(identity, options.verifyPool);
  const verifierRoots = new ChainVerifierRoots(() => roots.chain);
  const { signatures: policy = 'prefer' } = options;
  const now = (): number => consensusClock.wallNow() / 1000;
  const signatures =
    policy === 'off' ? undefined : new PacketSignatures({ policy, signer, roots: verifierRoots, now, clock, logger });
  const raftOf = (): Raft<ListResult> => raft;
  const writer = new ListWriter({
    list,
    clock,
    attestationThreshold: () => consensus.committee.attestationsNeeded,
    attesters: () => consensus.committee.members.size,
    propose: (data) => raftOf().apply(data),
  });
  const bridge: RaftBridge = new RaftBridge({
    self,
    protocolVersion: options.root.profile.discoveryVersion,
    transport,
    limits,
    logger,
    send: (peer, packet, lane) => links.sendRaftPacket(peer, packet, lane),
    isMember: (peer) => roots.isNode(peer, now()) || isServer(raftOf(), peer),
    guard: signatures,
  });
  const consensus: DiscoveryConsensus = new DiscoveryConsensus(
    { protocolVersion: options.root.profile.discoveryVersion, ...options.consensus, members },
    {
      list: listReader(list, {
        incompleteUntil: () => raftOf().incompleteUntil,
        skipped: (index) => logger.info('a frozen list is incomplete here, since this node is catching up', { index }),
      }),
      writer: listLeader(writer, () => raftOf().barrier()),
      channel: links,
      signer,
      rosters: roots,
      verifier: verifierOf(options, roots, verifierRoots),
      store: stores.directoryStore,
      clock: consensusClock,
      sha256: (bytes) => hash('sha256', bytes, 'buffer'),
      yieldNow: () => new Promise((resolve) => setImmediate(resolve)),
      appliedIndex: () => raftOf().appliedIndex,
      raft: { deliver: async (from, packet) => bridge.receivePacket(from, packetFields(packet)) },
    },
  );
  const raft: Raft<ListResult> = await Raft.create<ListResult>({
    id: self,
    address: self,
    transport,
    logStore: stores.logStore,
    stableStore: stores.stableStore,
    snapshotStore: stores.snapshotStore,
    stateMachine: list,
    clock,
    logger,
    ...(options.random ? { random: options.random } : {}),
    ...(options.raft ? { config: options.raft } : {}),
  });
  return { raft, list, consensus, roots, signer, links, bridge, signatures, writer, transport, consensusClock };
}

function isServer(raft: Raft<ListResult>, identity: string): boolean {
  return raft.getConfiguration().configuration.servers.some(({ id }) => id === identity);
}

/**
 * The newest members among whom this node is: it may be one of those in force, or of those to come.
 *
 * @throws NodeError NODE_NOT_NAMED
 */
function namedWith(roots: RootKeeper, self: string): readonly Member[] {
  const named = roots.rosters().findLast(({ members }) => members.some(({ identity }) => identity === self));
  if (named !== undefined) return named.members;
  throw new NodeError('NODE_NOT_NAMED', `no trust root that is known here names this node, ${self}`, {
    identity: self,
  });
}

function verifierOf(
  { consensus, verifyPool, verdicts }: DiscoveryNodeOptions,
  roots: RootKeeper,
  verifierRoots: ChainVerifierRoots,
): Verifier {
  const { maxPacketBytes } = consensus ?? {};
  const verifier = new PkiVerifier(verifierRoots, maxPacketBytes, verifyPool);
  if (verdicts === undefined) return verifier;
  return new RememberingVerifier({
    verifier,
    memory: verdicts,
    basis: () => roots.chain.newest.digest,
    maxPacketBytes,
  });
}

function packetFields(packet: DiscoveryRaftPacket): RaftPacketFields {
  return {
    version: packet.version,
    sourceId: packet.sourceID,
    destinationId: packet.desitnationID,
    msgType: packet.msgType,
    packetId: Number(packet.packetID),
    payload: packet.packet,
    ...(packet.signature ? { signature: packet.signature } : {}),
  };
}
