import { roundOf } from '../calendar.js';
import { nameOf } from '../crypto/packets.js';
import type { DiscoveryChecker, Report, SignedListing } from './checker.js';

/**
 * No two different directories of one round have a quorum of signatures. Counts every signature that was ever made, by
 * whomever and for whatever purpose, delivered or not.
 */
export class OneDirectoryARound implements DiscoveryChecker {
  readonly #quorum: number;
  readonly #report: Report;
  /** By creation and kind: who signed which digest. */
  readonly #signers = new Map<string, Map<string, Set<string>>>();

  constructor(quorum: number, report: Report) {
    this.#quorum = quorum;
    this.#report = report;
  }

  listingSigned({ identity, listing: { creation, digest, isShort } }: SignedListing): void {
    const key = `${creation} ${isShort}`;
    let digests = this.#signers.get(key);
    if (digests === undefined) this.#signers.set(key, (digests = new Map<string, Set<string>>()));
    let signers = digests.get(digest);
    if (signers === undefined) digests.set(digest, (signers = new Set<string>()));
    signers.add(identity);
    const complete = [...digests].filter(([, { size }]) => size >= this.#quorum);
    if (complete.length < 2) return;
    const sets = complete.map(([one, by]) => `${one.slice(0, 8)} by ${[...by].map(nameOf).join(' ')}`);
    this.#report(`two directories of round ${roundOf(creation) ?? `at ${creation}`}: ${sets.join(' and ')}`);
  }
}
