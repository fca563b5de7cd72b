import type { DiscoveryDirectory, SignedTrustRoot } from '@discovery-raft/protocol';
import type { TrustRootChain } from '@discovery-raft/psp-envelope';
import { trustRootOf, type NetworkProfile } from '@discovery-raft/psp-pki';
import {
  silentLogger,
  systemClock,
  systemRandom,
  type Clock,
  type Logger,
  type Random,
} from '@discovery-raft/raft-core';
import { DirectoryCache } from '../cache/directory-cache.js';
import { freshnessOf, slotSecondsOf } from '../directory/freshness.js';
import { isBetter } from '../directory/seen-mark.js';
import {
  DEFAULT_MAX_DIRECTORY_BYTES,
  verifyDirectory,
  type RefusedDirectory,
  type VerifiedDirectory,
} from '../directory/verify-directory.js';
import { ClientError, describeFailure, type SourceAnswer } from '../errors.js';
import { RootMemory } from '../roots/root-memory.js';
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

/** How long a question for newer trust roots may take that nobody waits for. */
const ROOTS_TIMEOUT_MS = 30_000;
/** How long a source that gave a directory without a quorum has to give the root that explains it. */
const ROOTS_WAIT_MS = 2_000;

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
  readonly #logger: Logger;
  readonly #random: Random;
  readonly #connect: ConnectNode;
  readonly #sources: readonly DirectorySource[];
  readonly #memory: DirectoryMemory;
  readonly #roots: RootMemory;
  readonly #profile: NetworkProfile;
  readonly #lifetime = new Lifetime();
  /** Monotonic milliseconds: before, a short directory of the present round is not asked to be completed again. */
  #askForCompleteAt = 0;
  /** Monotonic milliseconds: before, nobody is asked for newer roots without a reason. */
  #askForRootsAt = 0;
  #askingForRoots = false;
  #refreshing: Promise<readonly SourceAnswer[]> | undefined;
  #lastAnswers: readonly SourceAnswer[] = [];

  /** @throws ClientError CLIENT_INVALID_OPTION */
  constructor(options: DiscoveryClientOptions) {
    checkOptions(options);
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom();
    const logger = options.logger ?? silentLogger;
    this.#logger = logger;
    this.#connect = options.connect ?? connectOverTls({ clock: this.#clock, logger });
    const rootsPath = options.cachePath === undefined ? null : `${options.cachePath}.roots`;
    this.#roots = new RootMemory(options.root, rootsPath, logger);
    this.#profile = trustRootOf(this.#roots.chain.first.document).profile;
    this.#sources = this.#makeSources();
    this.#memory = new DirectoryMemory({
      verify: (directory) => this.verify(directory),
      before: () => this.#roots.load(),
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
    const { policy, requiredSignatures, clockToleranceSeconds } = this.#options;
    return verifyDirectory(raw, {
      root: this.#roots.chain,
      atSeconds: this.#now(),
      maxDirectoryBytes: this.#maxDirectoryBytes,
      ...(policy === undefined ? {} : { policy }),
      ...(requiredSignatures === undefined ? {} : { requiredSignatures }),
      ...(clockToleranceSeconds === undefined ? {} : { clockToleranceSeconds }),
    });
  }

  /** The trust roots that this client believes, from the one that it was built with to the newest that it has seen. */
  get roots(): TrustRootChain {
    return this.#roots.chain;
  }

  /**
   * Takes signed trust roots that came another way, such as a file. Each is verified against the one before.
   *
   * @returns how many were new and good
   */
  async offerRoots(roots: readonly SignedTrustRoot[]): Promise<number> {
    await this.#memory.load();
    const taken = await this.#roots.offer(roots);
    if (taken > 0) await this.#memory.verifyAgain();
    return taken;
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
    const sources = this.#shuffled(this.#sources);
    const { best, answers } = await this.#lifetime.run((ended) =>
      race<DirectorySource, Candidate>({
        sources,
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
    this.#askForRootsInTime(sources[0]!);
    return answers;
  }

  async #askOne(source: DirectorySource, newerThan: number, signal: AbortSignal): Promise<Answer<Candidate>> {
    const raw = await source.pull({ newerThan, signal });
    if (raw === null) return { ok: false, code: newerThan === 0 ? 'noDirectory' : 'nothingNewer', detail: '' };
    const verdict = await this.#verifyWith(raw, source, signal);
    if (!verdict.ok) return verdict;
    return this.#memory.refusal(verdict) ?? { ok: true, value: { raw, directory: verdict } };
  }

  /** Where a directory lacks a quorum, other nodes may have signed it than this client knows: their root comes first. */
  async #verifyWith(
    raw: DiscoveryDirectory,
    source: DirectorySource,
    signal: AbortSignal,
  ): Promise<VerifiedDirectory | RefusedDirectory> {
    const verdict = await this.verify(raw);
    const mayBeNews = !verdict.ok && (verdict.code === 'quorumMissing' || verdict.code === 'rootSuperseded');
    if (!mayBeNews) return verdict;
    const learnt = await this.#learnRootsWithin(ROOTS_WAIT_MS, source, signal);
    return learnt > 0 ? this.verify(raw) : verdict;
  }

  async #learnRootsWithin(timeoutMs: number, source: DirectorySource, signal: AbortSignal): Promise<number> {
    const late = new AbortController();
    const asked = this.#learnRoots(source, AbortSignal.any([signal, late.signal]));
    const learnt = await within(this.#clock, timeoutMs, asked);
    late.abort();
    return learnt ?? 0;
  }

  /** Asks a source for newer roots. @returns how many came; a source that has none, or cannot say, gives none */
  async #learnRoots(source: DirectorySource, signal: AbortSignal): Promise<number> {
    const before = this.#roots.chain.newest.document.version;
    try {
      for (let taken = 1; taken > 0 && source.pullRoots !== undefined;) {
        const newerThan = this.#roots.chain.newest.document.version;
        const roots = await source.pullRoots({ newerThan, signal });
        taken = await this.offerRoots(roots);
      }
    } catch (error) {
      // A node without our extensions does not know the question.
      this.#logger.debug('a source gave no trust roots', { source: source.name, ...describeFailure(error) });
    }
    return this.#roots.chain.newest.document.version - before;
  }

  /** Once in a while, and without keeping anybody waiting: a directory of the old nodes looks good to who lacks the news. */
  #askForRootsInTime(source: DirectorySource): void {
    const { rootsIntervalMs = 3_600_000 } = this.#options;
    if (rootsIntervalMs === 0 || this.#askingForRoots || this.#clock.now() < this.#askForRootsAt) return;
    this.#askingForRoots = true;
    this.#askForRootsAt = this.#clock.now() + rootsIntervalMs;
    const asked = this.#lifetime.run((ended) => this.#learnRootsWithin(ROOTS_TIMEOUT_MS, source, ended));
    void asked.then(() => {
      this.#askingForRoots = false;
    });
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
    const { limits } = this.#options;
    return {
      version: this.#profile.discoveryVersion,
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
