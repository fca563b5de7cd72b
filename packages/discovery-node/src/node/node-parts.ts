import {
  DiscoveryConsensus,
  listLeader,
  listReader,
  type ConsensusClock,
  type Member,
  type Verifier,
} from '@discovery-raft/discovery-consensus-fsm';
import { MemoryTransport } from '@discovery-raft/memory-transport';
import type { DiscoveryRaftPacket } from '@discovery-raft/protocol';
import { DEFAULT_LIMITS, firstTrustRoot, type RaftPacketFields } from '@discovery-raft/psp-envelope';
import { sharedMemory } from '@discovery-raft/psp-pki';
import { Raft, silentLogger, systemClock } from '@discovery-raft/raft-core';
import { ListWriter, type ListResult, type ListWriterOptions, type SharedList } from '@discovery-raft/raft-log-list';
import { NodeError } from '../errors.js';
import { newDiscoveryList } from '../pki/list-schema.js';
import { NodeSigner } from '../pki/node-identity.js';
import { sha256 } from '../pki/sha256.js';
import { PkiVerifier } from '../pki/pki-verifier.js';
import { ChainVerifierRoots } from '../roots/chain-verifier-roots.js';
import { pkiRootCrypto } from '../roots/pki-root-crypto.js';
import { RootKeeper } from '../roots/root-keeper.js';
import { RememberingVerifier } from '../verdicts/remembering-verifier.js';
import type { DiscoveryNodeOptions } from './node-options.js';
import { memoryStores } from './node-stores.js';
import { PacketSignatures } from './packet-signatures.js';
import { PeerLinks } from './peer-links.js';
import { RaftBridge } from './raft-bridge.js';
import { DEFAULT_SIGNATURE_POLICY } from './signature-policy.js';

/** What a {@link DiscoveryNode} holds, wired together; Raft runs, the consensus has yet to be started. */
export interface NodeParts {
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

/** Makes the parts of a node. @throws RaftError, ConsensusError, PkiError, ListError of the parts; NodeError NODE_NOT_NAMED */
export async function assembleNode(options: DiscoveryNodeOptions): Promise<NodeParts> {
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
  const { signatures: policy = DEFAULT_SIGNATURE_POLICY } = options;
  const now = (): number => consensusClock.wallNow() / 1000;
  const signatures =
    policy === 'off' ? undefined : new PacketSignatures({ policy, signer, roots: verifierRoots, now, clock, logger });
  const raftOf = (): Raft<ListResult> => raft;
  const writer = new ListWriter({
    list,
    clock,
    attestationThreshold: () => consensus.committee.attestationsNeeded,
    attesters: () => consensus.committee.members.size,
    ...appendingTo(raftOf),
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
      sha256,
      yieldNow: () => new Promise((resolve) => setImmediate(resolve)),
      allocate: sharedMemory,
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

/** How the writer of the list appends to the log. */
function appendingTo(raftOf: () => Raft<ListResult>): Pick<ListWriterOptions, 'propose' | 'proposeThen'> {
  return {
    propose: (data) => raftOf().apply(data),
    proposeThen: (data, applied, failed) => raftOf().applyThen(data, applied, failed),
  };
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
  const verifier = new PkiVerifier(verifierRoots, consensus?.maxPacketBytes, verifyPool);
  if (verdicts === undefined) return verifier;
  return new RememberingVerifier({ verifier, memory: verdicts, basis: () => roots.chain.newest.digest });
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
