import type { DiscoveryMessage, ListLeader, ListedAttestation } from '@discovery-raft/discovery-consensus-fsm';
import type { DiscoveryConsensusVote, DiscoveryFinalConsensus, DiscoverySignature } from '@discovery-raft/protocol';
import type { Dice } from '../../scenario/dice.js';
import type { VirtualClock } from '../../time/virtual-clock.js';
import { creationOf } from '../calendar.js';
import { sha256, type Keyring } from '../crypto/keyring.js';
import { makeItem, makePacket } from '../crypto/packets.js';
import type { Disguise, DiscoverySimNode } from '../node/discovery-node.js';
import type { MessageNetwork } from '../network/message-network.js';
import type { LiePlan } from '../scenario.js';
import type { Conspiracy } from './conspiracy.js';
import { finalSet, forgedSignature, noise, noVote, voteRequest } from './forgeries.js';
import { markerOf, recordOf, removalOf } from './raw-entries.js';

/** What liars need of the simulation. */
export interface LiarParts {
  readonly node: DiscoverySimNode;
  readonly plan: LiePlan;
  readonly dice: Dice;
  readonly world: VirtualClock;
  readonly network: MessageNetwork;
  readonly conspiracy: Conspiracy;
  readonly ring: Keyring;
  readonly members: readonly string[];
  readonly note: (what: string, detail: string) => void;
  /** Told of each lie. */
  readonly lied: (lie: keyof LiePlan) => void;
}

/**
 * A node that keeps Raft's rules and lies in everything else. It runs the real consensus, and stands between it and the
 * world: what leaves is changed, lost, held back or repeated, and what it writes into the list is what it likes.
 */
export class Liar implements Disguise {
  readonly parts: LiarParts;
  readonly others: readonly string[];
  /** The half of the others that is shown second lists. */
  readonly #fooled: ReadonlySet<string>;

  constructor(parts: LiarParts) {
    this.parts = parts;
    this.others = parts.members.filter((id) => id !== parts.node.id);
    const honest = parts.dice.shuffle(this.others.filter((id) => !parts.conspiracy.has(id)));
    this.#fooled = new Set(honest.slice(0, Math.ceil(honest.length / 2)));
  }

  /**
   * Whether it lies so this time.
   *
   * @param dice decide it
   */
  lies(lie: keyof LiePlan, dice = this.parts.dice): boolean {
    const does = dice.chance(this.parts.plan[lie]);
    if (does) this.parts.lied(lie);
    return does;
  }

  /** Sends what it likes; only while it runs. */
  send(to: string, message: DiscoveryMessage, delayMs = 0): void {
    const { node, network, world } = this.parts;
    const leave = (): void => {
      if (node.process !== null) network.send(node.id, to, message);
    };
    if (delayMs === 0) leave();
    else world.schedule(delayMs, leave);
  }

  outgoing(to: string, message: DiscoveryMessage): void {
    this.parts.conspiracy.remember(this.parts.node.id, message);
    if (this.lies('silence')) return;
    switch (message.event) {
      case 'discoveryRequestConsensusVote':
        return this.#askForVote(to, message);
      case 'discoveryConsensusVote':
        return this.#vote(to, message.body);
      case 'discoveryFinalConsensus':
        return this.#final(to, message.body);
      case 'discoveryStateDigest':
        return this.send(to, { ...message, body: { ...message.body, digest: this.#state(message.body.digest) } });
      case 'publishToDiscoveryForwarded': {
        const { signature } = message.body;
        if (signature === undefined || !this.lies('forgedForwards')) return this.send(to, message);
        const forged = forgedSignature(this.parts.dice, signature.certificate);
        return this.send(to, { ...message, body: { ...message.body, signature: forged } });
      }
      default:
        return this.send(to, message);
    }
  }

  /** A message has come to this node; its consensus will see it too. */
  heard(from: string, message: DiscoveryMessage): void {
    const { conspiracy, ring } = this.parts;
    conspiracy.remember(from, message);
    const { second } = conspiracy;
    if (message.event !== 'discoveryConsensusVote' || second === null || message.body.signature === undefined) return;
    const signer = ring.signer(message.body.signature, second.listing.bytes);
    if (signer !== null) second.signatures.set(signer.identity, message.body.signature);
  }

  writer(real: ListLeader): ListLeader {
    return {
      ...real,
      upsert: (packet: Uint8Array, attestation: ListedAttestation) =>
        this.lies('omission') ? Promise.resolve() : real.upsert(packet, attestation),
      freeze: (round) => this.#freeze(real, round),
    };
  }

  signed(content: Uint8Array): void {
    this.parts.conspiracy.signed = content;
  }

  #askForVote(to: string, message: DiscoveryMessage & { event: 'discoveryRequestConsensusVote' }): void {
    const { conspiracy, dice } = this.parts;
    const round = Number(message.body.round);
    const { second } = conspiracy;
    if (second?.round === round && this.#fooled.has(to)) {
      return this.send(to, voteRequest(round, second.frozenIndex, second.listing.digest));
    }
    if (this.lies('falseStates')) {
      return this.send(to, { ...message, body: { ...message.body, stateDigest: this.#state(new Uint8Array(32)) } });
    }
    if (this.lies('wrongDigests')) {
      return this.send(to, { ...message, body: { ...message.body, listDigest: new Uint8Array(32).fill(7) } });
    }
    if (this.lies('wrongTime')) {
      const old = conspiracy.recall('discoveryRequestConsensusVote');
      if (old.length > 0) return this.send(to, dice.pick(old).message);
    }
    this.send(to, message);
  }

  #vote(to: string, vote: DiscoveryConsensusVote): void {
    const { dice, conspiracy } = this.parts;
    const stateDigest = this.#state(vote.stateDigest);
    let message: DiscoveryMessage = { event: 'discoveryConsensusVote', body: { ...vote, stateDigest } };
    if (this.lies('falseVotes')) {
      const stolen = dice.pick([vote, ...conspiracy.recall('discoveryConsensusVote').map(bodyOf)]).signature;
      const certificate = vote.signature?.certificate ?? this.parts.node.key.certificate;
      const forged = forgedSignature(dice, certificate);
      message = dice.pick<() => DiscoveryMessage>([
        () => noVote(dice, vote.round),
        () => ({ event: 'discoveryConsensusVote', body: { ...vote, verdict: 1, signature: forged } }),
        () => ({
          event: 'discoveryConsensusVote',
          body: stolen === undefined ? vote : { ...vote, verdict: 1, signature: stolen },
        }),
        () => ({ event: 'discoveryConsensusVote', body: { ...vote, round: vote.round + 1n } }),
      ])();
      if (dice.chance(0.3)) this.send(to, message, dice.between(1, 500));
    }
    this.send(to, message, this.lies('late') ? dice.between(300, 9000) : 0);
  }

  /** What it says its state is: the truth, what all liars say alike, or something else to each. */
  #state(digest: Uint8Array): Uint8Array {
    if (!this.lies('falseStates')) return digest;
    const { dice } = this.parts;
    return dice.chance(0.5) ? new Uint8Array(32).fill(66) : noise(dice, dice.pick([0, 31, 32, 32]));
  }

  #final(to: string, final: DiscoveryFinalConsensus): void {
    const { conspiracy, dice } = this.parts;
    const round = Number(final.round);
    const { second } = conspiracy;
    if (second?.round === round && this.#fooled.has(to)) {
      const signatures = [...second.signatures.values(), ...conspiracy.sign(second.listing.bytes)];
      return this.send(to, finalSet(round, second.listing.digest, signatures));
    }
    if (!this.lies('falseFinals')) return this.send(to, { event: 'discoveryFinalConsensus', body: final });
    const [one] = final.signatures;
    const few = final.signatures.slice(0, Math.max(1, final.signatures.length - 2));
    const repeated = one === undefined ? [] : final.signatures.map(() => one);
    const signatures = dice.pick([few, repeated, [], this.#padded(final)]);
    this.send(to, { event: 'discoveryFinalConsensus', body: { ...final, signatures } });
  }

  /** One signature too few, and those of all liars: also of one that is no node any more. */
  #padded({ signatures, listDigest }: DiscoveryFinalConsensus): DiscoverySignature[] {
    const { conspiracy, node } = this.parts;
    const { signed } = conspiracy;
    const enough = node.process?.consensus.committee.quorum ?? 1;
    const few = signatures.slice(0, enough - 1);
    if (signed === null || Buffer.compare(sha256(signed), listDigest) !== 0) return few;
    return [...few, ...conspiracy.sign(signed)];
  }

  /** Freezes a round as it should, or twice with something taken out in between. */
  async #freeze(real: ListLeader, round: number): Promise<{ readonly index: number }> {
    if (this.lies('poison')) await this.#smuggle(round);
    const first = await real.freeze(round);
    if (this.lies('twoLists')) {
      try {
        await this.#freezeAgain(round);
      } catch {
        // Leadership is gone: there is no second list.
      }
    }
    return first;
  }

  /** Right before the list is frozen, an item comes in that nobody but liars has attested, with forgeries in all other names. */
  async #smuggle(round: number): Promise<void> {
    const { node, conspiracy, ring, members, dice } = this.parts;
    const { publisher } = conspiracy;
    const expiration = creationOf(round + 2);
    const packet = makePacket(publisher, makeItem(publisher.identity, expiration, '203.0.113.66:6'));
    const others = members.filter((id) => !conspiracy.has(id));
    const forged = others.map((id) => forgedSignature(dice, ring.key(id).certificate));
    try {
      await node.raft?.apply(recordOf(packet, [...conspiracy.sign(packet), ...forged], expiration));
    } catch {
      // Leadership is gone.
    }
  }

  async #freezeAgain(round: number): Promise<void> {
    const { node, conspiracy, dice, note } = this.parts;
    const { process } = node;
    const raft = process?.raft;
    if (process === null || raft === null || raft === undefined) return;
    const records = [...process.list.entries()];
    if (records.length > 0) await raft.apply(removalOf(dice.pick(records)));
    const { index } = await raft.apply(markerOf(round));
    const listing = await process.consensus.getFullListForPublication(creationOf(round));
    conspiracy.second = { round, frozenIndex: index, listing, signatures: new Map() };
    conspiracy.sign(listing.bytes);
    note('shows two lists', `round ${round}, the second at index ${index}`);
    this.#insist(round, index, listing.digest);
  }

  /** Asks everybody for the second list too, again and again: somebody may have forgotten the first. */
  #insist(round: number, index: number, digest: Uint8Array): void {
    const { dice } = this.parts;
    for (const to of this.others) {
      for (let i = 0; i < 3; i++) this.send(to, voteRequest(round, index, digest), dice.between(200, 3500));
    }
  }
}

function bodyOf({ message }: { readonly message: DiscoveryMessage }): DiscoveryConsensusVote {
  return message.body as DiscoveryConsensusVote;
}
