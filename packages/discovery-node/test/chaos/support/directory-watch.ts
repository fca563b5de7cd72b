import { fromBinary } from '@bufbuild/protobuf';
import { verifyDirectory, type VerifiedDirectory } from '@discovery-raft/discovery-client';
import { DiscoveryDirectorySchema } from '@discovery-raft/protocol';
import type { TrustRoot } from '@discovery-raft/psp-pki';
import type { MadeNode } from '../../../src/index.js';

const LOOK_EVERY_MS = 60;

/** What a node served at a moment. */
export interface Served {
  readonly round: number;
  /** It verifies with a quorum; null for a list that says that it has none. */
  readonly verified: VerifiedDirectory | null;
}

/** The nodes that are looked at, and the time. */
export interface WatchedNetwork {
  readonly root: TrustRoot;
  /** Unix seconds. */
  now(): number;
  watched(): readonly MadeNode[];
}

/**
 * A client without patience: pulls over HTTP from every node all the time. What claims a quorum must verify with one;
 * there must be one listing of a round, whoever serves it; and a node must not go back to an older one.
 */
export class DirectoryWatch {
  /** What was served that must not be. */
  readonly problems: string[] = [];
  readonly #network: WatchedNetwork;
  readonly #asking = new Set<AbortController>();
  readonly #looking = new Map<MadeNode, Promise<void>>();
  readonly #tags = new Map<MadeNode, string>();
  readonly #newest = new Map<MadeNode, number>();
  /** Slot to the listing's SHA-256. */
  readonly #listings = new Map<number, string>();
  readonly #timer: NodeJS.Timeout;

  constructor(network: WatchedNetwork) {
    this.#network = network;
    this.#timer = setInterval(() => this.#lookAround(), LOOK_EVERY_MS);
  }

  /** Slots of which a directory with a quorum was seen. */
  get rounds(): readonly number[] {
    return [...this.#listings.keys()].sort((a, b) => a - b);
  }

  /**
   * What a node serves now; null when that is nothing. One look at a node begins when the one before it is over, or an answer
   * that is noted late would seem to go back.
   */
  look(node: MadeNode, tag?: string): Promise<Served | null> {
    const look = (this.#looking.get(node) ?? Promise.resolve()).then(() => this.#look(node, tag));
    const over = look
      .then(
        () => undefined,
        () => undefined,
      )
      .finally(() => {
        if (this.#looking.get(node) === over) this.#looking.delete(node);
      });
    this.#looking.set(node, over);
    return look;
  }

  async #look(node: MadeNode, tag: string | undefined): Promise<Served | null> {
    const before = this.#network.now();
    const answer = await this.#ask(node, tag);
    if (answer === null) return null;
    const { headers, body } = answer;
    this.#tags.set(node, headers.get('etag') ?? '');
    const round = Number(headers.get('x-discovery-round'));
    const verified = await this.#verify(body, before);
    const claims = headers.get('x-discovery-quorum') === 'yes';
    if (claims && verified === null) this.problems.push(`${node.name} claims a quorum for ${round} that it has not`);
    if (claims && verified !== null) this.#note(node, round, verified);
    return { round, verified: claims ? verified : null };
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    for (const asked of this.#asking) asked.abort();
    await Promise.all(this.#looking.values());
  }

  /** @returns null when there is nothing, or nothing new */
  async #ask(node: MadeNode, tag: string | undefined): Promise<{ headers: Headers; body: Uint8Array } | null> {
    const abort = new AbortController();
    this.#asking.add(abort);
    try {
      const response = await fetch(`http://${node.host}:${node.httpPort}/directory`, {
        signal: abort.signal,
        headers: tag === undefined ? {} : { 'if-none-match': tag },
      });
      const body = new Uint8Array(await response.arrayBuffer());
      return response.status === 200 ? { headers: response.headers, body } : null;
    } finally {
      this.#asking.delete(abort);
    }
  }

  #note(node: MadeNode, round: number, { fullDigest }: VerifiedDirectory): void {
    const digest = Buffer.from(fullDigest).toString('hex');
    const known = this.#listings.get(round) ?? digest;
    this.#listings.set(round, known);
    if (known !== digest) this.problems.push(`two listings of round ${round}: ${known} and ${digest} of ${node.name}`);
    const newest = this.#newest.get(node) ?? 0;
    if (round < newest) this.problems.push(`${node.name} went back from round ${newest} to ${round}`);
    this.#newest.set(node, Math.max(round, newest));
  }

  /** A node answers at some moment from the question to now; what is good then is good. */
  async #verify(body: Uint8Array, before: number): Promise<VerifiedDirectory | null> {
    const directory = fromBinary(DiscoveryDirectorySchema, body);
    for (const atSeconds of [this.#network.now(), before]) {
      const judged = await verifyDirectory(directory, { root: this.#network.root, atSeconds });
      if (judged.ok) return judged;
    }
    return null;
  }

  #lookAround(): void {
    for (const node of this.#network.watched()) {
      if (this.#looking.has(node)) continue;
      // A node that is down serves nothing.
      this.look(node, this.#tags.get(node)).catch(() => undefined);
    }
  }
}
