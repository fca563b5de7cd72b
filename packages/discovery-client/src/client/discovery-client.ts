import type { DiscoveryDirectory } from '@discovery-raft/protocol';
import { silentLogger, systemClock, systemRandom, type Clock, type Random } from '@discovery-raft/raft-core';
import { DirectoryCache } from '../cache/directory-cache.js';
import { freshnessOf, slotSecondsOf } from '../directory/freshness.js';
import { isBetter } from '../directory/seen-mark.js';
import {
  DEFAULT_MAX_DIRECTORY_BYTES,
  verifyDirectory,
  type RefusedDirectory,
  type VerifiedDirectory,
} from '../directory/verify-directory.js';
import { ClientError, type SourceAnswer } from '../errors.js';
import { connectOverTls } from '../node/connect-over-tls.js';
import type { ConnectNode } from '../node/node-address.js';
import type { NodeClientOptions } from '../node/node-client.js';
import type { DirectorySource } from '../source/directory-source.js';
import { placeSource } from '../source/fetch-directory.js';
import { nodeSource } from '../source/node-source.js';
import { DirectoryMemory, type HeldDirectory } from './directory-memory.js';
import type { FullList } from './full-list.js';
import { checkOptions, type DiscoveryClientOptions } from './options.js';
import { publishPacket, type PublishResult } from './publish-packet.js';
import { Lifetime } from './lifetime.js';
import { race, type Answer } from './race.js';
import { within } from './within.js';
import { watchDirectory, type WatchOptions } from './watch.js';

/** Where only deployed nodes serve a large directory, each question for the complete one would wait in vain. */
const COMPLETE_RETRY_MS = 60_000;

interface Candidate {
  readonly raw: DiscoveryDirectory;
  readonly directory: VerifiedDirectory;
}

/**
 * The client of a network of discovery nodes: one verified answer to "which nodes exist?", and a way to publish.
 *
 * Servers are asked, never believed: a directory counts when enough of the discovery nodes of this client's own trust root
 * signed exactly these bytes, when it holds at this moment, and when it is not older than one that was seen before.
 *
 * @example
 * const client = new DiscoveryClient({ root, nodes: [{ host: '192.0.2.7', port: 4433, fingerprint }], cachePath });
 * const { directory, missedRounds } = await client.getFullList(10_000);
 */
export class DiscoveryClient {
  readonly #options: DiscoveryClientOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #connect: ConnectNode;
  readonly #sources: readonly DirectorySource[];
  readonly #memory: DirectoryMemory;
  readonly #lifetime = new Lifetime();
  /** Monotonic milliseconds: before, a short directory of the present round is not asked to be completed again. */
  #askForCompleteAt = 0;
  #refreshing: Promise<readonly SourceAnswer[]> | undefined;
  #lastAnswers: readonly SourceAnswer[] = [];

  /** @throws ClientError CLIENT_INVALID_OPTION */
  constructor(options: DiscoveryClientOptions) {
    checkOptions(options);
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom();
    const logger = options.logger ?? silentLogger;
    this.#connect = options.connect ?? connectOverTls({ clock: this.#clock, logger });
    this.#sources = this.#makeSources();
    this.#memory = new DirectoryMemory({
      verify: (directory) => this.verify(directory),
      cache: options.cachePath === undefined ? null : new DirectoryCache(options.cachePath, this.#maxDirectoryBytes),
      logger,
    });
  }

  /**
   * The newest directory: the held one while no newer one can exist, else what the sources give. When they give nothing
   * that is to be believed, the held one as long as it has not expired; `missedRounds` and `answers` then tell of it.
   *
   * @param timeoutMs all that it may take
   * @throws ClientError CLIENT_NO_GOOD_ANSWER (`details.answers`), CLIENT_CLOSED
   */
  async getFullList(timeoutMs: number): Promise<FullList> {
    await this.#memory.load();
    const held = this.#usable();
    if (held !== null && this.#isLatest(held)) return this.#present(held, []);
    return this.refresh(timeoutMs);
  }

  /**
   * As {@link DiscoveryClient.getFullList}, but the sources are asked in any case. Calls at the same time share one
   * round of questions.
   */
  async refresh(timeoutMs: number): Promise<FullList> {
    const deadline = this.#clock.now() + timeoutMs;
    await this.#memory.load();
    let answers: readonly SourceAnswer[] = [];
    for (let own = false; !own;) {
      this.#requireOpen();
      const left = deadline - this.#clock.now();
      own = this.#refreshing === undefined;
      this.#refreshing ??= this.#ask(left).finally(() => {
        this.#refreshing = undefined;
      });
      const asked = await within(this.#clock, left, this.#refreshing);
      answers = asked ?? this.#lastAnswers;
      // Somebody else's questions may have had less time than these.
      if (asked === undefined || this.#isCurrent()) break;
    }
    this.#requireOpen();
    const held = this.#usable();
    if (held !== null) return this.#present(held, answers);
    throw new ClientError('CLIENT_NO_GOOD_ANSWER', 'no source gave a directory that is to be believed', { answers });
  }

  /**
   * Publishes a signed packet through the nodes, one after the other until one confirms it.
   *
   * @param timeoutMs all that it may take. Default 30,000
   * @throws ClientError CLIENT_NO_GOOD_ANSWER when no node could be given the packet, CLIENT_INVALID_OPTION without nodes,
   *   CLIENT_CLOSED
   */
  async publish(packet: Uint8Array, timeoutMs = 30_000): Promise<PublishResult> {
    const { nodes = [], receiptTimeoutMs = 15_000, publishStaggerMs = 2_000, maxConcurrent = 4 } = this.#options;
    this.#requireOpen();
    if (nodes.length === 0) throw new ClientError('CLIENT_INVALID_OPTION', 'there is no node to publish to');
    return this.#lifetime.run((signal) =>
      publishPacket(packet, {
        nodes: this.#shuffled(nodes),
        connect: this.#connect,
        client: { ...this.#nodeClientOptions(), timeoutMs: receiptTimeoutMs },
        clock: this.#clock,
        staggerMs: publishStaggerMs,
        maxConcurrent,
        timeoutMs,
        signal,
      }),
    );
  }

  /**
   * Forgets the directory, in memory and on disk. What it does not forget, unless told to, is which one was the newest:
   * or clearing the cache would let an older one in.
   */
  async clearCache(options: { readonly forgetSeen?: boolean } = {}): Promise<void> {
    await this.#memory.clear(options.forgetSeen ?? false);
  }

  /** Each new directory as it comes, the held one first. Ends when the signal fires or the client is closed. */
  async *watch(options: WatchOptions = {}): AsyncGenerator<FullList, void, void> {
    const { signal: closed, done } = this.#lifetime.begin();
    try {
      yield* watchDirectory(
        {
          refresh: (timeoutMs) => this.refresh(timeoutMs),
          getFullList: (timeoutMs) => this.getFullList(timeoutMs),
          nowSeconds: () => this.#now(),
          clock: this.#clock,
          random: this.#random,
          closed,
        },
        options,
      );
    } finally {
      done();
    }
  }

  /**
   * Takes a directory that came another way, a file or a URL ({@link fetchDirectory}), under the same rules.
   *
   * @returns the directory, or why it is refused
   */
  async offer(raw: DiscoveryDirectory, source: string): Promise<VerifiedDirectory | RefusedDirectory> {
    await this.#memory.load();
    const verdict = await this.verify(raw);
    return verdict.ok ? ((await this.#memory.take(raw, verdict, source)) ?? verdict) : verdict;
  }

  /** Judges a directory by this client's rules, all but its memory. */
  verify(raw: DiscoveryDirectory): Promise<VerifiedDirectory | RefusedDirectory> {
    const { root, policy, requiredSignatures, clockToleranceSeconds } = this.#options;
    return verifyDirectory(raw, {
      root,
      atSeconds: this.#now(),
      maxDirectoryBytes: this.#maxDirectoryBytes,
      ...(policy === undefined ? {} : { policy }),
      ...(requiredSignatures === undefined ? {} : { requiredSignatures }),
      ...(clockToleranceSeconds === undefined ? {} : { clockToleranceSeconds }),
    });
  }

  /** Ends what is under way; idempotent. */
  close(): void {
    this.#lifetime.end();
  }

  get #maxDirectoryBytes(): number {
    return this.#options.maxDirectoryBytes ?? DEFAULT_MAX_DIRECTORY_BYTES;
  }

  #now(): number {
    return this.#clock.wallNow() / 1000;
  }

  #requireOpen(): void {
    if (this.#lifetime.over) throw new ClientError('CLIENT_CLOSED', 'the client was closed');
  }

  /** Asks the sources and takes in the best answer. Never rejects. */
  async #ask(timeoutMs: number): Promise<readonly SourceAnswer[]> {
    const { staggerMs = 250, newestWindowMs = 1_000, maxConcurrent = 4 } = this.#options;
    const held = this.#usable();
    const newerThan = held?.directory.complete === true ? held.directory.creation : 0;
    const { best, answers } = await this.#lifetime.run((ended) =>
      race<DirectorySource, Candidate>({
        sources: this.#shuffled(this.#sources),
        ask: (source, signal) => this.#askOne(source, newerThan, signal),
        isBetter: (a, b) => isBetter(a.directory, b.directory),
        isEnough: ({ directory }) => directory.complete && directory.missedRounds === 0,
        clock: this.#clock,
        staggerMs,
        windowMs: newestWindowMs,
        maxConcurrent,
        timeoutMs,
        signal: ended,
      }),
    );
    this.#lastAnswers = answers;
    this.#askForCompleteAt = this.#clock.now() + COMPLETE_RETRY_MS;
    if (best !== undefined) await this.#memory.take(best.value.raw, best.value.directory, best.source.name);
    return answers;
  }

  async #askOne(source: DirectorySource, newerThan: number, signal: AbortSignal): Promise<Answer<Candidate>> {
    const raw = await source.pull({ newerThan, signal });
    if (raw === null) return { ok: false, code: newerThan === 0 ? 'noDirectory' : 'nothingNewer', detail: '' };
    const verdict = await this.verify(raw);
    if (!verdict.ok) return verdict;
    return this.#memory.refusal(verdict) ?? { ok: true, value: { raw, directory: verdict } };
  }

  /** The held directory, if it still holds. */
  #usable(): HeldDirectory | null {
    const { held } = this.#memory;
    return held !== null && this.#now() < held.directory.expiration ? held : null;
  }

  #isCurrent(): boolean {
    const held = this.#usable();
    return held !== null && this.#present(held, []).missedRounds === 0;
  }

  /** Whether there is nothing better to be had at this moment, as far as one can know without asking. */
  #isLatest({ directory }: HeldDirectory): boolean {
    if (this.#now() >= directory.creation + slotSecondsOf(directory)) return false;
    return directory.complete || this.#clock.now() < this.#askForCompleteAt;
  }

  #present(held: HeldDirectory, answers: readonly SourceAnswer[]): FullList {
    return { ...held, ...freshnessOf(held.directory, this.#now()), answers };
  }

  #nodeClientOptions(): NodeClientOptions {
    const { root, limits } = this.#options;
    return {
      version: root.profile.discoveryVersion,
      clock: this.#clock,
      maxDirectoryBytes: this.#maxDirectoryBytes,
      ...(limits === undefined ? {} : { limits }),
    };
  }

  #makeSources(): readonly DirectorySource[] {
    const { nodes = [], mirrors = [], fetch: ask } = this.#options;
    // The race has the deadline; a source that waits longer is told to stop.
    const client = { ...this.#nodeClientOptions(), timeoutMs: 2 ** 31 - 1 };
    const place = { maxDirectoryBytes: this.#maxDirectoryBytes, clock: this.#clock, ...(ask ? { fetch: ask } : {}) };
    return [
      ...nodes.map((node) => nodeSource(node, this.#connect, client)),
      ...mirrors.map((mirror) => placeSource(mirror, place)),
    ];
  }

  /** A copy in an order of chance, so that no node gets all the questions. */
  #shuffled<T>(all: readonly T[]): readonly T[] {
    const order = [...all];
    for (let i = order.length - 1; i > 0; i--) {
      const j = Math.floor(this.#random.next() * (i + 1));
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order;
  }
}
