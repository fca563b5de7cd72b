import type { StoredRecord } from '@discovery-raft/raft-log-list';
import type { Dice } from '../../scenario/dice.js';
import { SLOT_SECONDS, secondsAt } from '../calendar.js';
import { ALWAYS, type Period } from '../crypto/keyring.js';
import { identityOf, joinPacket, makeItem } from '../crypto/packets.js';
import type { LiePlan } from '../scenario.js';
import { forgedCertificate, forgedSignature } from './forgeries.js';
import type { Liar } from './liar.js';
import { recordOf, replacementOf } from './raw-entries.js';

/** Mean pause between two times at which a leader poisons the list. */
const EVERY_MS = 1200;
/** As many attestations as a record can hold. */
const CROWD = 64;

/** What a leader writes into the list so that it lasts: each of it looks, at first sight, like something to be left alone. */
export class Poisoner {
  readonly #liar: Liar;
  /** Of its own: what a liar does otherwise stays as it was. */
  readonly #dice: Dice;

  constructor(liar: Liar, dice: Dice) {
    this.#liar = liar;
    this.#dice = dice;
  }

  /** Goes on for ever. */
  start(): void {
    this.#liar.parts.world.schedule(this.#dice.exponential(EVERY_MS), () => {
      if (this.#liar.parts.node.leads) this.#act();
      this.start();
    });
  }

  #act(): void {
    const poisons: readonly (readonly [keyof LiePlan, (record: StoredRecord) => Uint8Array])[] = [
      ['earlyEnds', (record) => this.#endedEarly(record)],
      ['madeUpDates', (record) => this.#misdated(record)],
      ['crowds', (record) => this.#crowded(record)],
    ];
    const { node, note } = this.#liar.parts;
    const process = node.process!;
    for (const [lie, poison] of poisons) {
      if (!this.#liar.lies(lie, this.#dice)) continue;
      const records = [...process.list.entries()].filter(() => this.#dice.chance(0.5));
      note(lie, `${records.length} records`);
      for (const record of records) process.raft?.apply(poison(record)).catch(() => undefined);
    }
  }

  /** Until when an attestation holds is the leader's word. */
  #endedEarly(record: StoredRecord): Uint8Array {
    const end = this.#now + this.#dice.int(-SLOT_SECONDS, SLOT_SECONDS);
    const signatures = record.attestations.map(({ signature }) => signature);
    return replacementOf(record, signatures, Math.min(end, record.expiration));
  }

  /** A packet that looks newer than the real one, or all honest members' word for that. No certificate holds now. */
  #misdated(record: StoredRecord): Uint8Array {
    const { members, conspiracy } = this.#liar.parts;
    const period = this.#otherTime();
    if (this.#dice.chance(0.5)) {
      const honest = members.filter((id) => !conspiracy.has(id));
      const forged = honest.map((id) => forgedSignature(this.#dice, forgedCertificate(id, period)));
      return replacementOf(record, forged, record.expiration);
    }
    const expiration = this.#now + SLOT_SECONDS * this.#dice.int(8, 15);
    const item = makeItem(record.identity, expiration, '203.0.113.66:2');
    const packet = joinPacket(item, forgedSignature(this.#dice, forgedCertificate(record.identity, period)));
    return recordOf(packet, conspiracy.sign(packet), expiration);
  }

  #crowded(record: StoredRecord): Uint8Array {
    const crowd = Array.from({ length: CROWD }, (_, i) => {
      const certificate = forgedCertificate(identityOf(`s${i}`, 'discovery'), ALWAYS);
      return forgedSignature(this.#dice, certificate);
    });
    return replacementOf(record, crowd, record.expiration);
  }

  /** Dates that hold soon, much later, or no more. */
  #otherTime(): Period {
    const now = this.#now;
    return this.#dice.pick([
      { notBefore: now + SLOT_SECONDS, notAfter: now + 2 ** 30 },
      { notBefore: now + 2 ** 20, notAfter: now + 2 ** 30 },
      { notBefore: 0, notAfter: now - 1 },
    ]);
  }

  get #now(): number {
    return Math.floor(secondsAt(this.#liar.parts.world.now));
  }
}
