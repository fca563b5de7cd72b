import {
  decodeRaftMessage,
  directionOf,
  EntriesCache,
  isRequest,
  messageKindOf,
  openRaftPacket,
  toRpcFailure,
  wrapRaftPacket,
  type EnvelopeLimits,
  type PacketSignature,
  type RaftMessage,
  type RaftPacketFields,
  type UnsignedRaftPacket,
} from '@discovery-raft/psp-envelope';
import type { MemoryTransport, OutgoingRpc, PeerTransport } from '@discovery-raft/memory-transport';
import { RaftError, type Logger, type RpcRequest } from '@discovery-raft/raft-core';
import type { Lane } from './peer-links.js';
import { SIGNATURE_REFUSALS, type SignatureRefusal } from './packet-signatures.js';
import { ReplayWindow } from './replay-window.js';

/** Who signs packets and judges signatures: {@link PacketSignatures}. */
export interface PacketGuard {
  sign(packet: UnsignedRaftPacket): PacketSignature;
  /** Null for a packet to be taken. Its source is a member. */
  judge(packet: RaftPacketFields): SignatureRefusal | null;
}

/** What the bridge needs of its node. */
export interface RaftBridgeOptions {
  /** This node's identity, which is its Raft server id. */
  readonly self: string;
  /** Version of the discovery protocol, in every packet. */
  readonly protocolVersion: string;
  readonly transport: MemoryTransport;
  readonly limits: EnvelopeLimits;
  readonly logger: Logger;
  /** Sends the bytes of a `DiscoveryRaftPacket` to a peer. */
  send(peer: string, packet: Uint8Array, lane: Lane): Promise<void>;
  /** Whether this identity is a node of the network, or a server of the Raft configuration. */
  isMember(identity: string): boolean;
  /** Without it, packets are neither signed nor asked for a signature. */
  readonly guard?: PacketGuard | undefined;
}

/** Why a packet is dropped. */
export const PACKET_REFUSALS = [
  /** Its source is not the peer of the link. */
  'wrongSource',
  /** It is for another node. */
  'wrongDestination',
  /** Its source is no node of this network. */
  'notMember',
  /** A request with an id that came by this link before. */
  'repeated',
  /** It cannot be read; the link closes. */
  'malformed',
  /** An answer that nobody waits for, such as a late one. */
  'unexpected',
  ...SIGNATURE_REFUSALS,
] as const;

/** One of {@link PACKET_REFUSALS}. */
export type PacketRefusal = (typeof PACKET_REFUSALS)[number];

/**
 * Carries Raft's RPCs inside PSP: takes what the local Raft sends from `transport.peer(id).proxy()`, wraps it as a
 * `DiscoveryRaftPacket`, and brings what peers send to the local Raft. What a peer sends is checked before its payload
 * is decoded (DISCOVERY.md, section 6).
 */
export class RaftBridge {
  readonly #options: RaftBridgeOptions;
  readonly #peers = new Map<string, PeerBridge>();
  readonly #refusals = zeros();
  readonly #cache = new EntriesCache();
  readonly #stopListening: () => void;

  constructor(options: RaftBridgeOptions) {
    this.#options = options;
    this.#stopListening = options.transport.onPeer((peer) => this.#carry(peer));
  }

  /** Packets dropped since the start, by reason. */
  get refusals(): Readonly<Record<PacketRefusal, number>> {
    return { ...this.#refusals };
  }

  /** A peer's link was made anew: its packet ids begin again, and nobody waits for answers to what came by the old one. */
  connected(peer: string): void {
    this.#peerOf(peer).seen = new ReplayWindow();
  }

  /**
   * Takes the bytes of a `DiscoveryRaftPacket` from the authenticated link of `from`.
   *
   * @throws EnvelopeError for bytes that are no packet
   */
  receive(from: string, bytes: Uint8Array): void {
    this.receivePacket(
      from,
      this.#read(() => openRaftPacket(bytes, this.#options.limits)),
    );
  }

  /** As {@link RaftBridge.receive}, of a packet that was read. @throws EnvelopeError for a malformed payload */
  receivePacket(from: string, packet: RaftPacketFields): void {
    if (packet.sourceId !== from) return this.#refuse('wrongSource', from);
    if (packet.destinationId !== this.#options.self) return this.#refuse('wrongDestination', from);
    if (!this.#options.isMember(from)) return this.#refuse('notMember', from);
    const peer = this.#peerOf(from);
    const refusal = this.#refusalOf(packet, peer);
    if (refusal !== null) return this.#refuse(refusal, from);
    const message = this.#read(() => decodeRaftMessage(packet.msgType, packet.payload, this.#options.limits));
    if (isRequest(message)) {
      peer.seen.take(packet.packetId);
      this.#answer(from, peer, packet.packetId, message);
    } else this.#settle(from, peer, packet.packetId, message);
  }

  /** The signature last, since it costs most; and a forged packet uses up no id. */
  #refusalOf(packet: RaftPacketFields, { seen, underWay }: PeerBridge): PacketRefusal | null {
    const direction = this.#read(() => directionOf(messageKindOf(packet.msgType)));
    if (direction === 'request' && seen.has(packet.packetId)) return 'repeated';
    // An answer that comes after its request timed out is normal; it is of no use any more.
    if (direction === 'response' && !underWay.has(packet.packetId)) return 'unexpected';
    return this.#options.guard?.judge(packet) ?? null;
  }

  stop(): void {
    this.#stopListening();
    for (const peer of this.#peers.values()) void peer.stream?.return();
  }

  #peerOf(id: string): PeerBridge {
    let peer = this.#peers.get(id);
    if (peer === undefined) {
      peer = { underWay: new Map(), seen: new ReplayWindow(), stream: null };
      this.#peers.set(id, peer);
    }
    return peer;
  }

  #carry(transport: PeerTransport): void {
    const peer = this.#peerOf(transport.id);
    const stream = transport.proxy();
    peer.stream = stream;
    void this.#carryAll(transport.id, peer, stream);
  }

  async #carryAll(id: string, peer: PeerBridge, stream: AsyncIterable<OutgoingRpc>): Promise<void> {
    for await (const rpc of stream) {
      forgetSettled(peer.underWay);
      peer.underWay.set(rpc.id, rpc);
      try {
        this.#send(id, rpc.id, rpc.request).catch((error: unknown) => rpc.fail(error));
      } catch (error) {
        rpc.fail(error);
      }
    }
  }

  #answer(from: string, peer: PeerBridge, packetId: number, request: RpcRequest): void {
    const connection = peer.seen;
    this.#options.transport
      .peer(from)
      .deliver(request)
      .catch((error: unknown) => toRpcFailure(error))
      .then(async (response) => {
        // The peer counts anew on a new link, and would take this for the answer to another request.
        if (peer.seen === connection) await this.#send(from, packetId, response);
      })
      .catch((error: unknown) => this.#options.logger.debug('an answer could not be sent', { peer: from, error }));
  }

  #settle(from: string, peer: PeerBridge, packetId: number, message: RaftMessage): void {
    // Without a request it would have been refused.
    const rpc = peer.underWay.get(packetId)!;
    peer.underWay.delete(packetId);
    if (message.kind === 'rpcFailure')
      rpc.fail(new RaftError('RAFT_TRANSPORT_FAILED', message.message, { peerId: from, remoteCode: message.code }));
    else if (!isRequest(message)) rpc.respond(message);
  }

  #send(peer: string, packetId: number, message: RaftMessage): Promise<void> {
    const { self, protocolVersion: version, guard } = this.#options;
    const names = { version, sourceId: self, destinationId: peer, packetId };
    const packet = wrapRaftPacket({ ...names, message, cache: this.#cache, sign: guard && ((of) => guard.sign(of)) });
    return this.#options.send(peer, packet, message.kind === 'installSnapshot' ? 'bulk' : 'main');
  }

  /** What cannot be read is counted here; the throw closes the link that it came by. */
  #read<T>(decode: () => T): T {
    try {
      return decode();
    } catch (error) {
      this.#refusals.malformed++;
      throw error;
    }
  }

  #refuse(reason: PacketRefusal, from: string): void {
    this.#refusals[reason]++;
    this.#options.logger.debug('a raft packet was dropped', { from, reason });
  }
}

interface PeerBridge {
  /** Requests that wait for their answers, by packet id. */
  readonly underWay: Map<number, OutgoingRpc>;
  /** Packet ids of requests seen on this connection; another one for each connection. */
  seen: ReplayWindow;
  stream: ReturnType<PeerTransport['proxy']> | null;
}

function zeros(): Record<PacketRefusal, number> {
  return Object.fromEntries(PACKET_REFUSALS.map((reason) => [reason, 0])) as Record<PacketRefusal, number>;
}

/** Drops what has timed out. Requests settle about in the order in which they were sent, so looking at the oldest does. */
function forgetSettled(underWay: Map<number, OutgoingRpc>): void {
  for (const [packetId, rpc] of underWay) {
    if (!rpc.settled) return;
    underWay.delete(packetId);
  }
}
