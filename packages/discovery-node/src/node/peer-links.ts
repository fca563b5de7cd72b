import type { DiscoveryMessage, PeerChannel } from '@discovery-raft/discovery-consensus-fsm';
import { NodeError } from '../errors.js';
import type { MessageChannel } from '@discovery-raft/psp-link';

/** Which way a message takes: `bulk` is for what is large and may wait, so that it delays nothing else. */
export type Lane = 'main' | 'bulk';

/** The message channels of a link; without `bulk`, everything goes by `main`. */
export interface LinkChannels {
  readonly main: MessageChannel;
  readonly bulk?: MessageChannel | undefined;
}

/** The links to the other discovery nodes: at most one a peer, the newest. */
export class PeerLinks implements PeerChannel {
  readonly #links = new Map<string, LinkChannels>();

  /** Takes a link over. An older one to the same peer is closed, and a link ends as soon as one of its channels does. */
  attach(peer: string, link: LinkChannels): void {
    close(this.#links.get(peer));
    this.#links.set(peer, link);
    const ended = (): void => {
      if (this.#links.get(peer) === link) this.#links.delete(peer);
      close(link);
    };
    link.main.onClose(ended);
    link.bulk?.onClose(ended);
  }

  isAuthenticated(peer: string): boolean {
    return this.#links.has(peer);
  }

  send(peer: string, message: DiscoveryMessage): Promise<void> {
    return this.#channel(peer, 'main').then((channel) => channel.send(message));
  }

  /** Sends the bytes of a `DiscoveryRaftPacket`. @throws NodeError NODE_PEER_UNREACHABLE and those of the channel */
  sendRaftPacket(peer: string, packet: Uint8Array, lane: Lane): Promise<void> {
    return this.#channel(peer, lane).then((channel) => channel.sendEncoded('discoveryRaftPacket', packet));
  }

  close(): void {
    for (const link of [...this.#links.values()]) close(link);
  }

  async #channel(peer: string, lane: Lane): Promise<MessageChannel> {
    const link = this.#links.get(peer);
    if (link === undefined) throw new NodeError('NODE_PEER_UNREACHABLE', `there is no link to ${peer}`, { peer });
    return link[lane] ?? link.main;
  }
}

function close(link: LinkChannels | undefined): void {
  link?.main.close();
  link?.bulk?.close();
}
