import type { DiscoveryMessage, PeerChannel } from '@discovery-raft/discovery-consensus-fsm';
import { NodeError } from '../errors.js';
import type { MessageChannel } from '@discovery-raft/psp-link';

/** The channels to the other discovery nodes: at most one a peer, the newest. */
export class PeerLinks implements PeerChannel {
  readonly #channels = new Map<string, MessageChannel>();

  /** Takes a channel over. An older one to the same peer is closed. */
  attach(peer: string, channel: MessageChannel): void {
    this.#channels.get(peer)?.close();
    this.#channels.set(peer, channel);
    channel.onClose(() => {
      if (this.#channels.get(peer) === channel) this.#channels.delete(peer);
    });
  }

  isAuthenticated(peer: string): boolean {
    return this.#channels.has(peer);
  }

  send(peer: string, message: DiscoveryMessage): Promise<void> {
    return this.#channel(peer).then((channel) => channel.send(message));
  }

  /** Sends the bytes of a `DiscoveryRaftPacket`. @throws NodeError NODE_PEER_UNREACHABLE and those of the channel */
  sendRaftPacket(peer: string, packet: Uint8Array): Promise<void> {
    return this.#channel(peer).then((channel) => channel.sendEncoded('discoveryRaftPacket', packet));
  }

  close(): void {
    for (const channel of this.#channels.values()) channel.close();
  }

  async #channel(peer: string): Promise<MessageChannel> {
    const channel = this.#channels.get(peer);
    if (channel === undefined) throw new NodeError('NODE_PEER_UNREACHABLE', `there is no link to ${peer}`, { peer });
    return channel;
  }
}
