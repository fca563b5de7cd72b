import type {
  DiscoveryDirectory,
  DiscoveryItem,
  DiscoveryRaftPacket,
  DiscoverySignature,
} from '@discovery-raft/protocol';
import type { Steps } from '@discovery-raft/psp-envelope';
import type { DiscoveryMessage } from './messages.js';
import type { Roster } from './policy/committee.js';

/** The way to the other discovery nodes. A peer is named by its identity, which is also its Raft server id. */
export interface PeerChannel {
  /**
   * Sends one message. Resolves when the link has taken it over, which is how it slows the sender down; that says
   * nothing about its arrival. The bytes inside may be kept, never written into.
   *
   * @throws anything when the peer cannot be reached; it is counted and tried again where that makes sense
   */
  send(peer: string, message: DiscoveryMessage): Promise<void>;
  /** Whether an authenticated link to this peer stands. Left out: every link is authenticated. */
  isAuthenticated?(peer: string): boolean;
}

/** This node's own key. */
export interface Signer {
  /** This node's identity. */
  readonly identity: string;
  /** Signs exactly these bytes with the key of the certificate that the signature carries. */
  sign(bytes: Uint8Array): Promise<DiscoverySignature>;
  /**
   * {@link sign} for who has thousands a second made.
   *
   * @param tell one of the two is called, once, perhaps at once; neither may throw
   */
  signThen?(bytes: Uint8Array, tell: (signature: DiscoverySignature) => void, failed: (error: unknown) => void): void;
}

/**
 * The period in which a verdict holds: the dates of all certificates that it rests upon. Unix seconds, both ends
 * included.
 */
export interface VerdictPeriod {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Why something was not verified. `code` is the verifier's own and only ever counted and shown. */
export interface FailedVerdict {
  readonly ok: false;
  readonly code: string;
  readonly detail?: string;
  /** True when another `atSeconds` could give another verdict: a certificate that is not valid yet or no more. */
  readonly timeDependent?: boolean;
}

/** A publisher's packet that is authentic: signature, certificate chain and authorities have been checked. */
export interface VerifiedPacket extends VerdictPeriod {
  readonly ok: true;
  readonly item: DiscoveryItem;
  /** The item exactly as the publisher encoded it, mostly a window of the packet. Not to be written into. */
  readonly itemBytes: Uint8Array;
  /** Identity of the certificate that signed the packet. */
  readonly signer: string;
}

/** What a packet's verification gives. */
export type PacketVerdict = VerifiedPacket | FailedVerdict;

/** A signature that is authentic: it is over the content, by a certificate that the trust root accepts. */
export interface VerifiedSignature extends VerdictPeriod {
  readonly ok: true;
  /** Whose signature it is. */
  readonly identity: string;
}

/** What a signature's verification gives. */
export type SignatureVerdict = VerifiedSignature | FailedVerdict;

/**
 * The cryptographic judge. It may use a thread pool and should keep verdicts of certificates. It decides from the bytes
 * and `atSeconds` alone, so that honest nodes agree, and never rejects because of what the bytes say.
 */
export interface Verifier {
  /**
   * Judges a publisher's signed packet at a Unix time in seconds.
   *
   * @param digest SHA-256 of the packet: with it, the verdict may be recalled later
   */
  verifyPacket(packet: Uint8Array, atSeconds: number, digest?: Uint8Array): Promise<PacketVerdict>;
  /**
   * {@link verifyPacket} for who has thousands a second judged: a promise for each is much of what it costs.
   *
   * @param tell one of the two is called, once, perhaps at once; neither may throw
   */
  verifyPacketThen?(
    packet: Uint8Array,
    atSeconds: number,
    digest: Uint8Array,
    tell: (verdict: PacketVerdict) => void,
    failed: (error: unknown) => void,
  ): void;
  /**
   * Judges a discovery node's signature over `content` at a Unix time in seconds.
   *
   * @param digest SHA-256 of the content: with it, the verdict may be recalled later
   */
  verifySignature(
    signature: DiscoverySignature,
    content: Uint8Array,
    atSeconds: number,
    digest?: Uint8Array,
  ): Promise<SignatureVerdict>;
  /**
   * The good verdict on a packet that was verified before, perhaps in an earlier life of the process, at a fraction of the
   * cost; undefined when it has to be verified. It rests upon the same trust root.
   *
   * @param packet may lie in memory of the list: to be read at once; of what comes back, `itemBytes` may be a window of it
   * @param digest SHA-256 of the packet
   */
  recallPacket?(packet: Uint8Array, digest: Uint8Array): VerifiedPacket | undefined;
  /** The same of a signature over the content with that SHA-256. */
  recallSignature?(signature: DiscoverySignature, digest: Uint8Array): VerifiedSignature | undefined;
}

/** A directory as it is kept: with what is needed to compare it without decoding. */
export interface StoredDirectory {
  /** Its slot; 0 for an interim one that this node alone signed. */
  readonly round: number;
  /** Unix seconds. */
  readonly creation: number;
  /** Unix seconds; from then on it is not served. */
  readonly expiration: number;
  /** SHA-256 of the listing bytes. */
  readonly digest: Uint8Array;
  /** Number of items. */
  readonly items: number;
  readonly directory: DiscoveryDirectory;
}

/** The one listing that this node signed in a round. */
export interface SignedRound {
  readonly round: number;
  /** SHA-256 of the listing bytes. */
  readonly digest: Uint8Array;
}

/** A signature on a trust root, which is a promise: no listing by an older root is signed from its activation on. */
export interface RootPromise {
  /** Of the root that was signed. */
  readonly version: number;
  /** Unix seconds. */
  readonly activation: number;
  /** SHA-256 of the root's bytes. */
  readonly digest: Uint8Array;
}

/** Where directories and the promise not to sign twice outlive the process. */
export interface DirectoryStore {
  /** What was saved last. Called once, by `start`. */
  load(): Promise<{
    readonly directory: StoredDirectory | null;
    readonly signed: SignedRound | null;
    /** Left out by stores that cannot keep one: then this node signs no trust root. */
    readonly promise?: RootPromise | null;
  }>;
  /** Replaces the newest directory in one step and keeps some of the previous ones. Durable when it resolves. */
  saveDirectory(directory: StoredDirectory): Promise<void>;
  /** Durable when it resolves: the signature is sent only after that. Rounds only ever grow. */
  recordSigned(signed: SignedRound): Promise<void>;
  /** Durable when it resolves: the signature on the root exists only after that. Versions only ever grow. */
  recordPromise?(promise: RootPromise): Promise<void>;
}

/** The clocks of a node, in milliseconds. A `Clock` of raft-core is one. */
export interface ConsensusClock {
  /** Monotonic; only differences mean anything. Deadlines and pauses are measured on it. */
  now(): number;
  /** Unix milliseconds: the time of day, of which rounds are slots. It may be wrong, and may be set at any moment. */
  wallNow(): number;
  /** Calls back once, not before `delayMs` from now by the monotonic clock. Calling it off is idempotent. */
  setTimer(delayMs: number, callback: () => void): { cancel(): void };
}

/** SHA-256 of `bytes`, 32 bytes; synchronous and pure. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** An attestation as the list keeps it. `SharedList` of raft-log-list has records with these. */
export interface ListedAttestation {
  /** Claimed identity of the signer. */
  readonly attester: string;
  readonly signature: DiscoverySignature;
  /** Unix seconds. */
  readonly expiration: number;
}

/**
 * One live record of the shared list. Immutable; the list has verified nothing of it. `packet` and `attestations` may be
 * decoded each time that they are read.
 */
export interface ListedRecord {
  readonly index: number;
  readonly identity: string;
  /** The publisher's signed packet; the caller's to keep. */
  readonly packet: Uint8Array;
  /** Whether this is its packet; nothing is copied for it. */
  hasPacket(packet: Uint8Array): boolean;
  /** The same without a copy: to be read or sent at once, and not to be kept. */
  peekPacket(): Uint8Array;
  /** Claimed, Unix seconds. */
  readonly expiration: number;
  readonly attestations: readonly ListedAttestation[];
  /** Who made them, in the same order; costs nothing. */
  readonly attesters: readonly string[];
  /** Whether it is in the list at this moment; once it has left, it does not come back. */
  readonly isLive: boolean;
}

/** The list at an index: an immutable snapshot. */
export interface ListedView {
  readonly index: number;
  readonly size: number;
  get(identity: string): readonly ListedRecord[];
  /** By identity bytewise, then by expiration. */
  entries(): Iterable<ListedRecord>;
  /**
   * Digest of the whole state at `index`, 32 bytes, in steps: equal on replicas that hold the same, and on no others. Left
   * out: states are not compared.
   */
  digestSteps?(recordsPerStep: number): Steps<Uint8Array>;
}

/** A freeze marker that was applied. */
export interface FrozenList {
  readonly round: number;
  /** Log index of the marker. */
  readonly index: number;
  readonly view: ListedView;
}

/** Takes back a subscription; idempotent. */
export type Unsubscribe = () => void;

/** What this package reads of the shared list (`listReader` makes one from a `SharedList`). */
export interface ListReader {
  view(): ListedView;
  get(identity: string): readonly ListedRecord[];
  /**
   * A record was applied: new, or updated. `replaced` are those that it took the place of, which have left the list; whoever
   * does not tell them has what was known of them forgotten later.
   */
  onInserted(listener: (record: ListedRecord, replaced?: readonly ListedRecord[]) => void): Unsubscribe;
  /** A freeze marker was applied. */
  onFrozen(listener: (frozen: FrozenList) => void): Unsubscribe;
  /** The whole list was replaced by a snapshot. */
  onRestored(listener: () => void): Unsubscribe;
}

/** Whose a packet is, and until when it holds in Unix seconds, as it says itself. */
export interface PacketClaims {
  readonly identity: string;
  readonly expiration: number;
}

/** How the leader writes the shared list (`ListWriter` of raft-log-list is one). Every promise may reject. */
export interface ListLeader {
  /**
   * Inserts a packet or adds an attestation to it. Resolves when it is committed, or needs no write.
   *
   * @param claims what the packet says, which is authentic
   */
  upsert(packet: Uint8Array, attestation: ListedAttestation, claims?: PacketClaims): Promise<unknown>;
  /**
   * The same without a promise, of which each publish would have one.
   *
   * @param told one of the two is called, once, later; neither throws
   */
  upsertThen?(
    packet: Uint8Array,
    attestation: ListedAttestation,
    claims: PacketClaims,
    told: (outcome: unknown) => void,
    failed: (error: Error) => void,
  ): void;
  /** Removes what has expired at that Unix second. */
  expire(nowSeconds: number): Promise<unknown>;
  /**
   * Removes those records of an identity that are bad. A leader needs it to heal a list into which a lying leader has
   * written forged records: without it they stay until they expire, which they may say is never.
   */
  removeRecords?(identity: string, isBad: (record: ListedRecord) => boolean): Promise<unknown>;
  /** Appends the freeze marker of a round. */
  freeze(round: number): Promise<{ readonly index: number }>;
  /**
   * Keeps everything else from the log until the function that it gives is called, from behind a marker whose `freeze` was
   * called in the same turn. Peers without our extensions sign the list as they find it, so it must stand still for them.
   * Left out: it does not, and their votes may be lost while others write.
   */
  hold?(): () => void;
  /** This node begins to lead. */
  takeOver(): void | Promise<void>;
  /** This node leads no more. */
  stepDown(): void | Promise<void>;
}

/** The versions of the trust root, as far as the consensus is concerned with them. */
export interface RosterSource {
  /** Oldest first, at least one; the last ones may not be in force yet. What is there never changes, and never goes. */
  rosters(): readonly Roster[];
  /** There is a newer one. */
  onChanged(listener: () => void): Unsubscribe;
  /** A peer decides by a newer version than is here: it should be asked. */
  missing(peer: string, version: number): void;
  /** A peer lacks versions that are here: it should be told. */
  outdated(peer: string, version: number): void;
}

/** What becomes of raft packets that arrive or leave by way of `DiscoveryConsensus`. */
export interface RaftPacketSink {
  /** Hands a packet of a member to the local Raft. */
  deliver(from: string, packet: DiscoveryRaftPacket): Promise<void>;
}
