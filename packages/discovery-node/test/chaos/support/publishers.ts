import { NodeClient, connectOverTls, signItem, type PublishReceipt } from '@discovery-raft/discovery-client';
import { createMember } from '@discovery-raft/psp-pki';
import type { MadeNetwork, MadeNode } from '../../../src/index.js';
import type { PublisherKeys } from '../../../src/keys/publisher-file.js';

/** What no node has said yet. */
const NO_RECEIPT = 'noReceipt';
const DAY_SECONDS = 86_400;
/** Between two publishes of one who goes on. */
const PAUSE_MS = 20;

/** What came of a publish; `noReceipt`: the node has gone, or says nothing. */
export type Outcome = PublishReceipt['code'] | typeof NO_RECEIPT;

/** Publishes as relays do, one node at a time, and remembers what the nodes promised: `accepted`, and until when. */
export class Publishers {
  /** Identity to the expiration of the newest packet that was accepted, Unix seconds. */
  readonly accepted = new Map<string, number>();
  readonly outcomes: Partial<Record<Outcome, number>> = {};
  readonly #made: MadeNetwork;
  readonly #now: () => number;
  readonly #clients = new Map<string, Promise<NodeClient>>();

  readonly #loops: Promise<void>[] = [];
  #going = false;

  constructor(made: MadeNetwork, now: () => number) {
    this.#made = made;
    this.#now = now;
  }

  /** Somebody new. */
  create(): PublisherKeys {
    const { root, authorities } = this.#made;
    const now = Math.floor(this.#now());
    const dates = { notBefore: now - DAY_SECONDS, notAfter: now + 7 * DAY_SECONDS };
    return createMember({ subNamespace: 'onion', authorities, profile: root.profile, ...dates });
  }

  /** Publishes an item at one node. Never rejects. */
  async publish(at: MadeNode, who: PublisherKeys = this.create(), lifetimeSeconds = 40_000): Promise<Outcome> {
    const expiration = Math.floor(this.#now()) + lifetimeSeconds;
    const item = { fingerprint: 'AB'.repeat(32), handshake: 'CD'.repeat(32), address: ['192.0.2.1:1'], expiration };
    const packet = signItem(who, item, this.#made.root.profile);
    const outcome = await this.#send(at, packet);
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1;
    if (outcome === 'accepted') this.#promised(who.identity, expiration);
    return outcome;
  }

  /** Publishes somebody new at one of these nodes until it is accepted somewhere. @returns the identity */
  async publishOne(at: readonly MadeNode[]): Promise<string> {
    const who = this.create();
    for (let turn = 0; ; turn++) {
      const outcome = await this.publish(at[turn % at.length]!, who);
      if (outcome === 'accepted') return who.identity;
      if (turn > 200) throw new Error(`nobody takes a publish: ${JSON.stringify(this.outcomes)}`);
      // As deployed publishers do: not at once, and with a newer packet.
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Publishes many at once. @returns how many were accepted */
  async publishMany(count: number, at: readonly MadeNode[], lifetimeSeconds?: number): Promise<number> {
    const each = Array.from({ length: count }, (_, i) =>
      this.publish(at[i % at.length]!, this.create(), lifetimeSeconds),
    );
    return (await Promise.all(each)).filter((outcome) => outcome === 'accepted').length;
  }

  /** Publishes without a pause at these nodes, whatever comes of it, until {@link rest}. */
  keepPublishing(at: readonly MadeNode[]): void {
    this.#going = true;
    for (const node of at) this.#loops.push(this.#loop(node));
  }

  /** Ends what goes on; resolves when the last publish has been answered. */
  async rest(): Promise<void> {
    this.#going = false;
    await Promise.all(this.#loops.splice(0));
  }

  async close(): Promise<void> {
    await this.rest();
    for (const client of await Promise.allSettled(this.#clients.values())) {
      if (client.status === 'fulfilled') client.value.close();
    }
  }

  async #loop(node: MadeNode): Promise<void> {
    while (this.#going) {
      await this.publish(node);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  #promised(identity: string, expiration: number): void {
    this.accepted.set(identity, Math.max(this.accepted.get(identity) ?? 0, expiration));
  }

  async #send(at: MadeNode, packet: Uint8Array): Promise<Outcome> {
    try {
      let client = this.#clients.get(at.name);
      if (client === undefined) {
        client = this.#connect(at);
        this.#clients.set(at.name, client);
      }
      return (await (await client).publish(packet)).code;
    } catch {
      this.#clients.delete(at.name);
      return NO_RECEIPT;
    }
  }

  async #connect(node: MadeNode): Promise<NodeClient> {
    const { channel, close } = await connectOverTls({ timeoutMs: 5000 })(node, {
      signal: new AbortController().signal,
    });
    channel.onClose(() => {
      this.#clients.delete(node.name);
      close();
    });
    return new NodeClient(channel, { version: this.#made.root.profile.discoveryVersion, timeoutMs: 5000 });
  }
}
