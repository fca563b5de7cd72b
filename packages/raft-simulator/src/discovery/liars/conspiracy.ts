import type { BuiltListing, DiscoveryMessage } from '@discovery-raft/discovery-consensus-fsm';
import type { DiscoverySignature } from '@discovery-raft/protocol';
import type { Key } from '../crypto/keyring.js';

/** A second list of a round, which some are shown instead of the first. */
export interface SecondList {
  readonly round: number;
  readonly frozenIndex: number;
  readonly listing: BuiltListing;
  /** Signatures of honest nodes that fell for it, by identity. */
  readonly signatures: Map<string, DiscoverySignature>;
}

/** A message that reached a liar, or left one. */
export interface Remembered {
  readonly from: string;
  readonly message: DiscoveryMessage;
}

const MEMORY = 200;

/** What all liars of a simulation share: they know each other's keys and all that any of them has heard. */
export class Conspiracy {
  readonly keys: readonly Key[];
  readonly memory: Remembered[] = [];
  second: SecondList | null = null;
  /** The listing that one of them signed last. */
  signed: Uint8Array | null = null;
  /** A publisher's key that they hold: its packets are authentic, and nobody honest has attested them. */
  readonly publisher: Key;

  constructor(keys: readonly Key[], publisher: Key) {
    this.keys = keys;
    this.publisher = publisher;
  }

  has(identity: string): boolean {
    return this.keys.some((key) => key.identity === identity);
  }

  /** All liars sign this. */
  sign(content: Uint8Array): DiscoverySignature[] {
    return this.keys.map((key) => key.sign(content));
  }

  remember(from: string, message: DiscoveryMessage): void {
    this.memory.push({ from, message });
    if (this.memory.length > MEMORY) this.memory.shift();
  }

  recall(event: DiscoveryMessage['event']): Remembered[] {
    return this.memory.filter(({ message }) => message.event === event);
  }
}
