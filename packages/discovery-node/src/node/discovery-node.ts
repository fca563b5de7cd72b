import type { ConsensusClock, DiscoveryConsensus, StoredDirectory } from '@discovery-raft/discovery-consensus-fsm';
import type { MemoryTransport } from '@discovery-raft/memory-transport';
import {
  decodeDiscoveryBody,
  DEFAULT_LIMITS,
  type ApplicationMessage,
  type EnvelopeLimits,
} from '@discovery-raft/psp-envelope';
import { silentLogger, systemClock, type Logger, type Raft } from '@discovery-raft/raft-core';
import type { ListResult, ListWriter, SharedList } from '@discovery-raft/raft-log-list';
import { MessageChannel, newChannelCounters, type ByteChannel, type ChannelCounters } from '@discovery-raft/psp-link';
import type { RootKeeper } from '../roots/root-keeper.js';
import { RootService } from '../roots/root-service.js';
import type { NodeIdentity, NodeSigner } from '../pki/node-identity.js';
import { ClientSession, type ClientSource } from './client-session.js';
import type { DiscoveryNodeOptions } from './node-options.js';
import { assembleNode, type NodeParts } from './node-parts.js';
import {
  summariseDirectory,
  summariseList,
  summariseState,
  summariseRoots,
  type ListSummary,
  type NodeStatus,
} from './node-status.js';
import type { PeerLinks } from './peer-links.js';
import type { PacketSignatures, SignatureCounts } from './packet-signatures.js';
import type { RaftBridge } from './raft-bridge.js';
import { DEFAULT_SIGNATURE_POLICY, type SignaturePolicy } from './signature-policy.js';

/** A link to a peer: the newest psp-link has both lanes, one stream each. */
export interface PeerLanes {
  /** For everything that must be prompt and in order. */
  readonly main: ByteChannel;
  /** For snapshots. Left out: they go by `main`, where a heartbeat waits for the chunk before it. */
  readonly bulk?: ByteChannel;
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
  readonly #policy: SignaturePolicy;
  readonly #signatures: PacketSignatures | undefined;
  readonly #writer: ListWriter;
  readonly #transport: MemoryTransport;
  readonly #limits: EnvelopeLimits;
  readonly #logger: Logger;
  readonly #consensusClock: ConsensusClock;
  readonly #clients = new Set<MessageChannel>();
  #lastSummary: { readonly at: number; readonly summary: ListSummary } | null = null;
  #stopped = false;

  private constructor(options: DiscoveryNodeOptions, parts: NodeParts) {
    this.identity = options.identity.identity;
    this.raft = parts.raft;
    this.list = parts.list;
    this.consensus = parts.consensus;
    this.traffic = newChannelCounters();
    this.roots = parts.roots;
    this.#signer = parts.signer;
    this.#links = parts.links;
    this.#bridge = parts.bridge;
    this.#policy = options.signatures ?? DEFAULT_SIGNATURE_POLICY;
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
    const parts = await assembleNode(options);
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
    // What failed to be sent is asked for again in a later round.
    void this.consensus.recover(peer);
  }

  /** Serves an anonymous client: publishes and pulls, nothing else. A stopped node closes the channel. */
  attachClient(from: ClientSource, channel: ByteChannel): void {
    if (this.#stopped) return channel.close();
    // What came before this call is received inside the next line.
    let session: ClientSession | undefined;
    const receive = (message: ApplicationMessage, client: MessageChannel): void => {
      session ??= new ClientSession(
        from,
        client,
        { consensus: this.consensus, roots: this.roots },
        this.#limits,
        this.#logger,
      );
      session.receive(message);
    };
    const messages = this.#messages(channel, receive, 'debug');
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
      raft: {
        state,
        term,
        leaderId: leader?.id ?? null,
        lastIndex,
        commitIndex,
        appliedIndex,
        signatures: this.#policy,
      },
      consensus: { state: consensus.state, quorum: consensus.quorum, counters: consensus.counters },
      list: this.#listSummary(Math.floor(now)),
      state: summariseState(consensus.lastState),
      directory: summariseDirectory(consensus.currentDirectory),
      roots: summariseRoots(this.roots, this.consensus, now),
      peers: this.#peers().map((peer) => ({
        identity: peer,
        linked: this.#links.isAuthenticated(peer),
        packetSignature: this.#signatures?.lastOf(peer) ?? null,
      })),
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
    malformedLevel: 'debug' | 'warn' = 'warn',
  ): MessageChannel {
    return new MessageChannel(channel, {
      ...{ limits: this.#limits, logger: this.#logger, counters: this.traffic },
      ...{ malformedLevel, receive },
    });
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
