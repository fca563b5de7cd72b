import type { VerifiedDirectory } from '@discovery-raft/discovery-client';
import type { Publication } from './publisher.js';

/** How a directory differs from what the publishers know. */
export interface Comparison {
  /** Items that were accepted, hold, and are not listed. */
  readonly lost: number;
  /** Listed items that nobody published, or not so, or that are superseded or over. */
  readonly wrong: number;
}

/** What the publishers know that they published: the reference for every directory. */
export class Truth {
  readonly #publications = new Map<string, Publication[]>();

  /** A node has said that the publication is in the shared list. */
  add(publication: Publication): void {
    const known = this.#publications.get(publication.identity) ?? [];
    this.#publications.set(publication.identity, [...known, publication]);
  }

  /** Whether this publication was added. */
  has({ identity, expiration }: Publication): boolean {
    return this.#publications.get(identity)?.some((known) => known.expiration === expiration) ?? false;
  }

  /** Per identity the newest publication that holds at a moment (Unix seconds). */
  at(seconds: number): Map<string, Publication> {
    const valid = new Map<string, Publication>();
    for (const [identity, publications] of this.#publications) {
      const newest = publications.findLast(({ expiration }) => expiration > seconds);
      if (newest !== undefined) valid.set(identity, newest);
    }
    return valid;
  }

  /** Compares a directory, item by item and byte by byte. */
  compare(directory: Pick<VerifiedDirectory, 'creation' | 'items' | 'itemBytes'>): Comparison {
    const expected = this.at(directory.creation);
    let wrong = 0;
    directory.items.forEach(({ identity }, i) => {
      const publication = expected.get(identity);
      expected.delete(identity);
      if (publication === undefined || Buffer.compare(publication.itemBytes, directory.itemBytes[i]!) !== 0) wrong++;
    });
    return { lost: expected.size, wrong };
  }
}
