// The seam between Raft and PSP. Raft sends into a transport in memory and never learns what carries its RPCs.
import type { MemoryTransport, OutgoingRpc, PeerTransport } from '@discovery-raft/memory-transport';
import {
  decodeRaftMessage,
  encodeApplicationMessage,
  isRequest,
  openRaftPacket,
  toRpcFailure,
  wrapRaftPacket,
  type RaftMessage,
} from '@discovery-raft/psp-envelope';

/** Sends an application message to a node. */
export type Send = (to: string, message: Uint8Array) => Promise<void>;

/** Carries what the local Raft sends. @returns takes a DiscoveryRaftPacket that came from a peer over its own link */
export function carryRaft(self: string, version: string, transport: MemoryTransport, send: Send) {
  const waiting = new Map<string, Map<number, OutgoingRpc>>();

  function sendMessage(to: string, packetId: number, message: RaftMessage): Promise<void> {
    const packet = wrapRaftPacket({ version, sourceId: self, destinationId: to, packetId, message });
    return send(to, encodeApplicationMessage('discoveryRaftPacket', packet));
  }

  // Outwards: each RPC leaves the transport by `proxy()`, goes as a packet, and waits for its answer.
  async function carry(peer: PeerTransport): Promise<void> {
    const underWay = new Map<number, OutgoingRpc>();
    waiting.set(peer.id, underWay);
    for await (const rpc of peer.proxy()) {
      for (const [id, { settled }] of underWay) if (settled) underWay.delete(id); // answered, or timed out
      underWay.set(rpc.id, rpc);
      sendMessage(peer.id, rpc.id, rpc.request).catch((error: unknown) => rpc.fail(error));
    }
  }
  transport.onPeer((peer) => void carry(peer));

  // Inwards: a request is delivered to the local Raft and its answer sent back; an answer goes to the RPC that waits.
  return async (from: string, bytes: Uint8Array): Promise<void> => {
    const packet = openRaftPacket(bytes);
    if (packet.sourceId !== from || packet.destinationId !== self) return;
    const message = decodeRaftMessage(packet.msgType, packet.payload);
    if (isRequest(message)) {
      const answer = await transport.peer(from).deliver(message).catch(toRpcFailure);
      return sendMessage(from, packet.packetId, answer);
    }
    const rpc = waiting.get(from)?.get(packet.packetId);
    if (message.kind === 'rpcFailure') rpc?.fail(new Error(message.message));
    else rpc?.respond(message);
  };
}
