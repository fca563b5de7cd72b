import { create } from '@bufbuild/protobuf';
import {
  DiscoveryRequestAttestationSchema,
  DiscoveryStateDigestSchema,
  PublishToDiscoveryForwardedSchema,
} from '@discovery-raft/protocol';
import type { StoredRecord } from '@discovery-raft/raft-log-list';
import { creationOf, SLOT_SECONDS, START_SECONDS } from '../calendar.js';
import { identityOf, joinPacket, makeItem, splitPacket, VERSION } from '../crypto/packets.js';
import type { LiePlan } from '../scenario.js';
import {
  directoryOf,
  finalSet,
  forgedCertificate,
  forgedSignature,
  garbage,
  listingBytes,
  noise,
  noVote,
  voteRequest,
} from './forgeries.js';
import type { Liar } from './liar.js';
import { markerOf, recordOf, removalOf, replacementOf } from './raw-entries.js';

/** Mean pause between two things that a liar does unasked. */
const EVERY_MS = 1200;
/** Forged records claim to hold for so long. */
const FOREVER_SECONDS = 2 ** 31;

/** What a liar does without having been asked. */
export class Mischief {
  readonly #liar: Liar;

  constructor(liar: Liar) {
    this.#liar = liar;
  }

  /** Goes on for ever: liars do not stop when the faults do. */
  start(): void {
    const { world, dice } = this.#liar.parts;
    world.schedule(dice.exponential(EVERY_MS), () => {
      this.#act();
      this.start();
    });
  }

  #act(): void {
    const { node, dice } = this.#liar.parts;
    const { process } = node;
    if (process === null || process.raft === null) return;
    const anybody: readonly (readonly [keyof LiePlan, () => void])[] = [
      ['replay', () => this.#replay()],
      ['garbage', () => this.#toSomebody(garbage(dice))],
      ['pretence', () => this.#pretend()],
      ['falseVotes', () => this.#earlyVote()],
      ['forgedForwards', () => this.#forgeForward()],
      ['forgedDirectories', () => this.#forgeDirectory()],
      ['falseStates', () => this.#claimState()],
    ];
    const leading: readonly (readonly [keyof LiePlan, () => void])[] = [
      ['removal', () => this.#remove()],
      ['poison', () => this.#poison()],
      ['wrongTime', () => this.#askOutOfTime()],
      ['falseFinals', () => this.#falseFinal()],
    ];
    for (const [lie, act] of node.leads ? [...anybody, ...leading] : anybody) if (this.#liar.lies(lie)) act();
  }

  get #round(): number {
    return Math.floor(this.#liar.parts.world.now / 1000 / SLOT_SECONDS);
  }

  #toSomebody(message: Parameters<Liar['send']>[1]): void {
    this.#liar.send(this.#liar.parts.dice.pick(this.#liar.others), message);
  }

  #toAll(message: Parameters<Liar['send']>[1]): void {
    for (const to of this.#liar.others) this.#liar.send(to, message);
  }

  #replay(): void {
    const { memory } = this.#liar.parts.conspiracy;
    if (memory.length > 0) this.#toSomebody(this.#liar.parts.dice.pick(memory).message);
  }

  /** Asks for votes on the present list, and attestations of nonsense, as only a leader may. */
  #pretend(): void {
    const { node, dice } = this.#liar.parts;
    const round = Math.max(1, this.#round);
    const consensus = node.process!.consensus;
    consensus.getFullListForPublication(creationOf(round)).then(
      ({ digest }) => this.#toAll(voteRequest(round, node.raft?.appliedIndex ?? 1, digest)),
      () => undefined,
    );
    const fields = { version: VERSION, packets: [noise(dice, 80)] };
    this.#toSomebody({ event: 'discoveryRequestAttestation', body: create(DiscoveryRequestAttestationSchema, fields) });
  }

  #earlyVote(): void {
    this.#toAll(noVote(this.#liar.parts.dice, BigInt(this.#round + 1)));
  }

  /** Claims what the others' states will be wrong against, before they are there. */
  #claimState(): void {
    const { node, dice } = this.#liar.parts;
    const index = BigInt((node.raft?.appliedIndex ?? 0) + dice.int(1, 12));
    const fields = { version: VERSION, round: BigInt(this.#round + 1), index, digest: new Uint8Array(32).fill(66) };
    this.#toAll({ event: 'discoveryStateDigest', body: create(DiscoveryStateDigestSchema, fields) });
  }

  #forgeForward(): void {
    const { node, dice, conspiracy } = this.#liar.parts;
    const victim = this.#someRecord();
    const honest = victim?.attestations.find(({ attester }) => !conspiracy.has(attester));
    // A stranger's packet that its owner never signed, or a real one with somebody else's word for it.
    const packet =
      victim === undefined || dice.chance(0.5)
        ? forgedPacket(dice.int(1, 8), this.#now() + SLOT_SECONDS * 3, noise(dice, 64))
        : victim.packet;
    const signature =
      honest !== undefined && dice.chance(0.5)
        ? forgedSignature(dice, honest.signature.certificate)
        : node.key.sign(packet);
    const body = create(PublishToDiscoveryForwardedSchema, { version: VERSION, publishPacket: packet, signature });
    this.#toAll({ event: 'publishToDiscoveryForwarded', body });
  }

  /** A listing of its own making, signed by all liars, and in the names of others. */
  #forgeDirectory(): void {
    const { dice, conspiracy, members } = this.#liar.parts;
    const round = Math.max(1, this.#round + dice.int(-2, 1));
    const known = this.#items();
    const bytes = listingBytes(dice.chance(0.5) ? known : known.slice(1), round);
    const mine = conspiracy.sign(bytes);
    const forged = this.#strangers().map((certificate) => forgedSignature(dice, certificate));
    const signatures = dice.pick([mine, [...mine, ...forged], members.map(() => mine[0]!)]);
    this.#toSomebody(directoryOf(bytes, signatures));
    const old = conspiracy.recall('discoveryDirectory');
    if (old.length > 0) this.#toSomebody(dice.pick(old).message);
  }

  #remove(): void {
    const record = this.#someRecord();
    if (record === undefined) return;
    this.#liar.parts.note('removes an item', record.identity);
    this.#write(removalOf(record));
  }

  /** Records that look newer than the real ones, and attestations that keep the real ones out. */
  #poison(): void {
    const { dice, note, conspiracy } = this.#liar.parts;
    const record = this.#someRecord();
    if (record === undefined) return;
    const far = START_SECONDS + FOREVER_SECONDS;
    const forged = this.#strangers().map((certificate) => forgedSignature(dice, certificate));
    note('poisons', record.identity);
    if (dice.chance(0.5)) {
      const item = splitPacket(record.packet)!.itemBytes;
      const name = splitPacket(record.packet)!.item.identity;
      const newer = dice.chance(0.5) ? makeItem(name, far, '203.0.113.66:1') : item;
      const packet = joinPacket(newer, forgedSignature(dice, splitPacket(record.packet)!.signature.certificate));
      this.#write(recordOf(packet, conspiracy.sign(packet), far));
    } else {
      this.#write(replacementOf(record, forged, far));
    }
  }

  /** Freezes and asks for rounds that are to come. */
  #askOutOfTime(): void {
    const { node, dice, conspiracy } = this.#liar.parts;
    const round = this.#round + dice.int(1, 3);
    const { process } = node;
    process!.raft!.apply(markerOf(round)).then(
      async ({ index }) => {
        const listing = await process!.consensus.getFullListForPublication(creationOf(round));
        conspiracy.sign(listing.bytes);
        this.#toAll(voteRequest(round, index, listing.digest));
      },
      () => undefined,
    );
  }

  #falseFinal(): void {
    const { dice, conspiracy } = this.#liar.parts;
    const round = Math.max(1, this.#round);
    const bytes = listingBytes(this.#items(), round);
    const forged = this.#strangers().map((certificate) => forgedSignature(dice, certificate));
    this.#toAll(finalSet(round, noise(dice, 32), [...conspiracy.sign(bytes), ...forged]));
    this.#toAll(finalSet(round, new Uint8Array(0), conspiracy.sign(bytes)));
  }

  #write(data: Uint8Array): void {
    this.#liar.parts.node.raft?.apply(data).catch(() => undefined);
  }

  #now(): number {
    return Math.floor(START_SECONDS + this.#liar.parts.world.now / 1000);
  }

  #someRecord(): StoredRecord | undefined {
    const records = [...this.#liar.parts.node.process!.list.entries()];
    return records.length === 0 ? undefined : this.#liar.parts.dice.pick(records);
  }

  #items(): Uint8Array[] {
    const records = [...this.#liar.parts.node.process!.list.entries()];
    return records.flatMap(({ packet }) => splitPacket(packet)?.itemBytes ?? []);
  }

  /** Certificates of honest members, which everybody has seen. */
  #strangers(): Uint8Array[] {
    const { ring, members, conspiracy } = this.#liar.parts;
    return members.filter((id) => !conspiracy.has(id)).map((id) => ring.key(id).certificate);
  }
}

/** A packet in somebody's name that somebody never made. */
function forgedPacket(publisher: number, expiration: number, signature: Uint8Array): Uint8Array {
  const identity = identityOf(`p${publisher}`, 'onion');
  const certificate = forgedCertificate(identity, { notBefore: 0, notAfter: 99_999_999_999 });
  const item = makeItem(identity, expiration, '203.0.113.99:9');
  return joinPacket(item, { $typeName: 'protocol.DiscoverySignature', certificate, signature });
}
