import { hash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { create } from '@bufbuild/protobuf';
import {
  DiscoveryConsensus,
  listReader,
  slotExpiration,
  slotStart,
  type BuiltListing,
  type DiscoveryMessage,
  type StoredDirectory,
} from '@discovery-raft/discovery-consensus-fsm';
import {
  createNodeIdentity,
  DirectoryPress,
  FileDirectoryStore,
  NodeSigner,
  oneRoot,
  PkiVerifier,
  type NodeIdentity,
  type PreparedDirectory,
} from '@discovery-raft/discovery-node';
import {
  DiscoveryConsensusVoteSchema,
  DiscoveryConsensusVote_voteVerdict as Verdict,
  DiscoveryFinalConsensusSchema,
  DiscoveryRequestConsensusVoteSchema,
  type DiscoveryConsensusVote,
  type DiscoveryRequestConsensusVote,
  type DiscoverySignature,
} from '@discovery-raft/protocol';
import { createTrustRoot, sharedMemory, SigningKey, VerifyPool } from '@discovery-raft/psp-pki';
import { EntryType, systemClock } from '@discovery-raft/raft-core';
import { ListWriter, SharedList } from '@discovery-raft/raft-log-list';
import { collectGarbage } from '../heap.js';
import { attestationOf, itemSchema, ItemVerifier, packetOf } from './items.js';
import { measured, type Measured } from './measured.js';
import { looked, OtherReplica } from './other-replica.js';

const VERSION = 'xpx-discovery-1.0';
const MEMBERS = 5;
const ATTESTERS = 3;
const SLOT_SECONDS = 900;
const FIRST_ROUND = 2_000_000;
const LIFETIME_SECONDS = 10 * 3600;
const UPSERTS_AT_ONCE = 1000;
/** Between two items of one refresh; prime, so that those of the next are others. */
const STRIDE = 13;

/** What the other four say in a round, made before it begins: their work is not this node's. */
interface Others {
  readonly listing: BuiltListing;
  readonly signatures: readonly { readonly full: DiscoverySignature; readonly short: DiscoverySignature | undefined }[];
}

/**
 * One of five nodes of a consensus, with all that a round sets in motion in a process: the real list, listing, digests and
 * Ed25519 signatures over it, the files, HTTP as far as it is no client's doing. The other four are what they say. Log and links are
 * function calls, and signatures over items are stand-ins, as they were verified before the round begins.
 */
export class RoundNode {
  readonly #identities: readonly NodeIdentity[];
  readonly #signers: readonly NodeSigner[];
  readonly #list: SharedList;
  readonly #writer: ListWriter;
  readonly #consensus: DiscoveryConsensus;
  readonly #press = new DirectoryPress();
  readonly #folder: string;
  readonly #pool: VerifyPool;
  readonly #other: OtherReplica;
  #expiration = 0;
  /** Refreshes so far; each takes the items that come next. */
  #refreshed = 0;
  #directory: StoredDirectory | undefined;
  #pressed: Promise<PreparedDirectory> | undefined;
  #wallOffsetMs = 0;
  #round = FIRST_ROUND;
  #term = 0;
  #others: Others | undefined;
  #voted: (vote: DiscoveryConsensusVote) => void = () => undefined;

  private constructor(identities: readonly NodeIdentity[], folder: string, store: FileDirectoryStore) {
    this.#identities = identities;
    this.#pool = new VerifyPool();
    this.#signers = identities.map((identity) => new NodeSigner(identity, this.#pool));
    this.#folder = folder;
    const sha256 = (bytes: Uint8Array): string => hash('sha256', bytes, 'binary');
    this.#list = new SharedList({ schema: itemSchema, sha256, crc32 });
    let index = 0;
    this.#writer = new ListWriter({
      list: this.#list,
      clock: systemClock,
      attestationThreshold: ATTESTERS,
      propose: (data) => {
        const entry = { index: ++index, term: 1, type: EntryType.command, data };
        this.#other.apply(entry);
        return Promise.resolve({ index: entry.index, response: this.#list.apply(entry, { redact() {} }) });
      },
    });
    const root = createTrustRoot({ discoveryNodes: identities.map(({ identity }) => identity) });
    const members = identities.map(({ identity }) => ({ identity }));
    const config = { members, slotSeconds: SLOT_SECONDS, serveInterim: false };
    const wallNow = (): number => Date.now() + this.#wallOffsetMs;
    this.#other = new OtherReplica(config, this.#signers[1]!, wallNow);
    this.#consensus = new DiscoveryConsensus(config, {
      list: listReader(this.#list),
      writer: {
        upsert: (packet, attestation) => this.#writer.upsert(packet, attestation),
        expire: (nowSeconds) => this.#writer.expire(Math.floor(nowSeconds)),
        removeRecords: (identity, isBad) => this.#writer.removeRecords(identity, isBad),
        freeze: (round) => this.#writer.freeze(round),
        takeOver: () => undefined,
        stepDown: () => undefined,
      },
      channel: { send: (to, message) => this.#sent(to, message) },
      signer: this.#signers[0]!,
      verifier: new ItemVerifier(new PkiVerifier(oneRoot(root), 4096, this.#pool)),
      store,
      clock: { ...systemClock, wallNow },
      sha256: (bytes) => hash('sha256', bytes, 'buffer'),
      yieldNow: () => new Promise((resolve) => setImmediate(resolve)),
      allocate: sharedMemory,
    });
    this.#consensus.on('directoryPublished', (directory) => {
      this.#directory = directory;
      this.#pressed = this.#press.prepare(directory);
    });
  }

  /** Makes a node with so many items in its list, each attested by three of five, this node among them. */
  static async create(items: number): Promise<RoundNode> {
    const folder = await mkdtemp(join(tmpdir(), 'consensus-bench-'));
    const dates = { notBefore: 0, notAfter: Number.MAX_SAFE_INTEGER };
    const identities = Array.from({ length: MEMBERS }, (_, i) =>
      createNodeIdentity({
        role: 'discovery',
        masterKey: SigningKey.fromSeed(hash('sha256', `master ${i}`, 'buffer')),
        signingKey: SigningKey.fromSeed(hash('sha256', `node ${i}`, 'buffer')),
        ...dates,
      }),
    );
    const node = new RoundNode(identities, folder, await FileDirectoryStore.open({ folder }));
    node.#atRound(FIRST_ROUND);
    await node.#other.start();
    await node.#consensus.start();
    await node.#fill(items);
    return node;
  }

  /**
   * So many items publish anew, and this node has looked at them: what happens between two rounds, and is no part of either. All
   * garbage is collected too, so that the next round finds caches as cold as after a quarter of an hour.
   * Different ones each time, until all have had their turn.
   */
  async refresh(items: number): Promise<void> {
    const { size } = this.#list;
    const relays = Array.from({ length: items }, (_, i) => (this.#refreshed + i * STRIDE) % size);
    this.#refreshed += items * STRIDE;
    this.#expiration++;
    await this.#upsertAll(relays);
    await looked(this.#consensus);
    // What the publishes leave would otherwise be collected in the next round, of whose quarter of an hour they are.
    collectGarbage();
  }

  /** Leads a round: from its begin until the node is at rest again. */
  async lead(): Promise<Measured<number>> {
    await this.#prepare();
    this.#becomes('leader', 0);
    await this.#rests('LeaderRunning');
    return measured(async () => {
      const ended = this.#ended();
      this.#atRound(this.#round);
      this.#consensus.initiateVoting();
      return this.#finish(ended, 'LeaderRunning');
    });
  }

  /** Follows in a round: from the freeze marker until the node is at rest again. */
  async follow(): Promise<Measured<number>> {
    const { listing } = await this.#prepare();
    this.#becomes('follower', 1);
    await this.#rests('FollowerRunning');
    return measured(async () => {
      const ended = this.#ended();
      this.#atRound(this.#round);
      const { index } = await this.#writer.freeze(this.#round);
      const vote = await new Promise<DiscoveryConsensusVote>((resolve, reject) => {
        this.#voted = resolve;
        this.#deliver(1, { event: 'discoveryRequestConsensusVote', body: this.#request(index, listing) }).catch(reject);
      });
      const { signature, shortSignature } = vote;
      if (signature === undefined) throw new Error(`the node did not vote: ${vote.reason}`);
      const { signatures } = this.#others!;
      const body = create(DiscoveryFinalConsensusSchema, {
        version: VERSION,
        signatures: [signature, ...signatures.map(({ full }) => full)],
        shortSignatures: [shortSignature, ...signatures.map(({ short }) => short)].filter((each) => each !== undefined),
        round: BigInt(this.#round),
        listDigest: listing.digest,
      });
      await this.#deliver(1, { event: 'discoveryFinalConsensus', body });
      return this.#finish(ended, 'FollowerRunning');
    });
  }

  /** The work of a vote alone: listing, digests, the durable promise, signatures. */
  async vote(): Promise<Measured<number>> {
    const { listing } = await this.#prepare();
    this.#atRound(this.#round);
    const { index } = await this.#writer.freeze(this.#round);
    const request = this.#request(index, listing);
    return measured(async () => {
      const vote = await this.#consensus.vote(request);
      if (vote.verdict !== Verdict.yes) throw new Error(`the node did not vote: ${vote.reason}`);
      return listing.items;
    });
  }

  /** What the first client after a round sets in motion that takes brotli. */
  async press(): Promise<Measured<number>> {
    const directory = this.#directory;
    if (directory === undefined) throw new Error('there was no round');
    const prepared = await new DirectoryPress().prepare(directory);
    return measured(async () => (await prepared.body('br')).bytes);
  }

  /** Bytes of the listing that the last round was about. */
  get listingBytes(): Uint8Array {
    return this.#others!.listing.bytes;
  }

  async close(): Promise<void> {
    this.#consensus.shutdown();
    this.#other.stop();
    this.#writer.stepDown();
    await this.#pressed;
    await this.#pool.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #fill(items: number): Promise<void> {
    this.#writer.takeOver();
    this.#expiration = slotStart(this.#consensus.config, FIRST_ROUND) + LIFETIME_SECONDS;
    await this.#upsertAll(Array.from({ length: items }, (_, relay) => relay));
    await looked(this.#consensus);
    const { items: listed } = await this.#consensus.getFullListForPublication();
    if (listed !== items) throw new Error(`${listed} of ${items} items are listed`);
  }

  async #upsertAll(relays: readonly number[]): Promise<void> {
    const expiration = this.#expiration;
    const attesters = this.#identities.slice(0, ATTESTERS);
    const upsert = (relay: number): Promise<unknown> => {
      const packet = packetOf(relay, expiration);
      const words = attesters.map(({ identity }) => ({ signature: attestationOf(identity, packet), expiration }));
      return this.#writer.upsert(packet, words);
    };
    for (let from = 0; from < relays.length; from += UPSERTS_AT_ONCE) {
      await Promise.all(relays.slice(from, from + UPSERTS_AT_ONCE).map(upsert));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #atRound(round: number): void {
    const seconds = slotStart({ genesisSeconds: 0, slotSeconds: SLOT_SECONDS }, round) + 1;
    this.#wallOffsetMs = seconds * 1000 - Date.now();
  }

  /** The next round begins, and the others make up their minds. */
  async #prepare(): Promise<Others> {
    this.#round++;
    const listing = await this.#other.listing(slotStart(this.#consensus.config, this.#round));
    const signatures = [];
    for (const signer of this.#signers.slice(1)) {
      const short = listing.short === undefined ? undefined : await signer.sign(listing.short.bytes);
      signatures.push({ full: await signer.sign(listing.bytes), short });
    }
    this.#others = { listing, signatures };
    return this.#others;
  }

  #request(index: number, listing: BuiltListing): DiscoveryRequestConsensusVote {
    const { config } = this.#consensus;
    return create(DiscoveryRequestConsensusVoteSchema, {
      version: VERSION,
      creation: BigInt(slotStart(config, this.#round)),
      expiration: BigInt(slotExpiration(config, this.#round)),
      round: BigInt(this.#round),
      frozenIndex: BigInt(index),
      listDigest: listing.digest,
      ...(listing.short === undefined ? {} : { shortDigest: listing.short.digest }),
    });
  }

  #becomes(state: 'leader' | 'follower', leader: number): void {
    const leaderId = this.#identities[leader]!.identity;
    this.#consensus.raftStateChanged({ state, leaderId, term: ++this.#term });
  }

  async #rests(state: string): Promise<void> {
    while (this.#consensus.state !== state) await new Promise((resolve) => setTimeout(resolve, 5));
    // The take-over and what it sets in motion.
    await new Promise((resolve) => setTimeout(resolve, 300));
  }

  #ended(): Promise<{ readonly published: boolean; readonly items: number; readonly reason: string }> {
    return new Promise((resolve) => {
      const stop = this.#consensus.on('roundEnded', (end) => {
        stop();
        resolve(end);
      });
    });
  }

  async #finish(
    ended: Promise<{ readonly published: boolean; readonly items: number; readonly reason: string }>,
    rest: string,
  ): Promise<number> {
    const { published, items, reason } = await ended;
    if (!published) throw new Error(`the round failed: ${reason}`);
    await this.#pressed;
    while (this.#consensus.state !== rest) await new Promise((resolve) => setTimeout(resolve, 1));
    return items;
  }

  async #sent(to: string, message: DiscoveryMessage): Promise<void> {
    const from = this.#identities.findIndex(({ identity }) => identity === to);
    if (message.event === 'discoveryConsensusVote') this.#voted(message.body);
    if (message.event !== 'discoveryRequestConsensusVote') return;
    const { full, short } = this.#others!.signatures[from - 1]!;
    const body = create(DiscoveryConsensusVoteSchema, {
      version: VERSION,
      verdict: Verdict.yes,
      round: BigInt(this.#round),
      signature: full,
      ...(short === undefined ? {} : { shortSignature: short }),
    });
    setImmediate(() => void this.#deliver(from, { event: 'discoveryConsensusVote', body }));
  }

  async #deliver(from: number, message: DiscoveryMessage): Promise<void> {
    const handled = await this.#consensus.onMessage(this.#identities[from]!.identity, message);
    if (!handled.ok) throw new Error(`the node did not heed ${message.event}: ${handled.code} ${handled.detail}`);
  }
}
