import { join } from 'node:path';
import type { StateDivergence } from '@discovery-raft/discovery-consensus-fsm';
import { hasExistingState, systemRandom, type Logger, type RaftConfig } from '@discovery-raft/raft-core';
import { LmdbStore } from '@discovery-raft/raft-store-lmdb';
import { DEFAULT_LIMITS, encodeTrustRoots } from '@discovery-raft/psp-envelope';
import { ed25519Library, VerifyPool } from '@discovery-raft/psp-pki';
import { AdminServer } from '../admin/admin-server.js';
import { adminHandlers, withTimeout, type AdminHost } from '../admin/handlers.js';
import type { RoundReport, StatusReport } from '../admin/protocol.js';
import { given } from '../config/check-together.js';
import { makePrivateFolder } from '../directory/durable-file.js';
import { NodeError } from '../errors.js';
import { FileDirectoryStore } from '../directory/file-directory-store.js';
import type { HttpHost, HttpServer } from '../http/http-server.js';
import type { MetricsHost } from '../metrics/node-metrics.js';
import { DiscoveryNode } from '../node/discovery-node.js';
import { VerdictMemory } from '../verdicts/verdict-memory.js';
import { Closers } from './closers.js';
import { nodeClocks, type NodeClocks } from './clocks.js';
import { cannotListen } from './cannot-listen.js';
import { lockData } from './data-lock.js';
import { checkOwner, keepOwner } from './data-owner.js';
import { foundCluster } from './found-cluster.js';
import { expiryWarnings, ROOTS_FILE, type Deployment } from './deployment.js';
import { OwnKeys } from './own-keys.js';
import { FileRootStore } from '../roots/file-root-store.js';
import { pkiRootCrypto } from '../roots/pki-root-crypto.js';
import { RootKeeper } from '../roots/root-keeper.js';
import { openLinks, type NodeLinks } from './links.js';
import { logEvents } from './log-events.js';
import { readiness } from './readiness.js';
import { divergedError, markDiverged, refuseDiverged } from './state-mark.js';

/** How often a node that stops looks whether what it accepted has reached the list. */
const DRAIN_LOOK_MS = 20;

/** What a process is started with. */
export interface NodeProcessOptions {
  readonly deployment: Deployment;
  readonly version: string;
  /** Found a cluster even without the mark of `init`. */
  readonly bootstrap: boolean;
  /** Unix seconds at which a manual clock begins; null for real time. */
  readonly manualClock: number | null;
  readonly logger: Logger;
}

/** Why a process ended. */
export interface ProcessEnd {
  /** Null when it was asked to. */
  readonly failure: Error | null;
}

/**
 * A discovery node with all that it needs of the machine: lock, durable stores, TLS listener and links, HTTP, admin socket.
 * What was begun is ended in reverse order, also when the start fails halfway.
 */
export class NodeProcess {
  /** Resolves when the process has stopped, for whatever reason. */
  readonly ended: Promise<ProcessEnd>;
  readonly node: DiscoveryNode;
  readonly #parts: Parts;
  #stopping: Promise<void> | null = null;
  #resolveEnded: (end: ProcessEnd) => void = () => {};

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.node = parts.node;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  /** @throws NodeError NODE_DATA_LOCKED, NODE_DATA_FOREIGN, NODE_DATA_CORRUPT, NODE_LISTEN_FAILED, NODE_STATE_DIVERGED; RaftError, LinkError and errors of the system */
  static async start(options: NodeProcessOptions): Promise<NodeProcess> {
    const closers = new Closers(options.logger);
    let own: NodeProcess | undefined;
    try {
      own = new NodeProcess(await openParts(options, closers));
      await own.#serve();
      return own;
    } catch (error) {
      // Or the end of Raft would be taken for news from the cluster.
      if (own !== undefined) own.#stopping = Promise.resolve();
      await closers.closeAll();
      throw error;
    }
  }

  /** Where it listens for PSP. */
  get port(): number {
    return this.#parts.links.port;
  }

  /**
   * Hands over and stops: what was accepted is brought into the list, leadership goes to another node, then everything is
   * closed. Each of the first two has `stop.transferSeconds`. Idempotent.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop(null);
    return this.#stopping;
  }

  async #serve(): Promise<void> {
    const { options, node, closers } = this.#parts;
    const { config, path } = options.deployment.loaded;
    node.raft.on('shutdown', ({ error }) => this.#raftEnded(error));
    node.consensus.on('stateDiverged', (divergence) => this.#diverged(divergence));
    node.rootService.onRemoved(() => this.#raftEnded(null));
    logEvents(node, options.logger);
    const text = this.#metricsText();
    let http: HttpServer | null = null;
    if (config.http.enabled) {
      const { HttpServer } = await import('../http/http-server.js');
      const server = await HttpServer.listen(this.#httpHost(text), { ...config.http, logger: options.logger }).catch(
        (error: unknown): never => {
          throw cannotListen('http', config.http, error);
        },
      );
      http = server;
      closers.add('the HTTP server', () => server.close());
    }
    const handlers = adminHandlers(this.#adminHost(text, http));
    const admin = await AdminServer.listen({ socket: path(config.admin.socket), handlers, logger: options.logger });
    closers.add('the admin socket', () => admin.close());
    options.logger.info('the node runs', {
      identity: node.identity,
      listens: `${config.listen.host}:${this.port}`,
      http: http === null ? 'off' : `${config.http.host}:${http.port}`,
      signatures: ed25519Library(),
    });
  }

  #raftEnded(error: Error | null): void {
    // A node whose state differs stops Raft itself; why it did is told by another event.
    if (this.#stopping !== null || this.node.consensus.divergence !== null) return;
    const { logger } = this.#parts.options;
    if (error === null) logger.warn('this node was removed from the cluster, and stops');
    else logger.error('Raft has failed, and the node stops', { error });
    this.#stopping = this.#stop(error);
  }

  /** Nothing is handed over: a leader of a wrong state must not choose who comes after it. */
  #diverged(divergence: StateDivergence): void {
    if (this.#stopping !== null) return;
    const { options, dataFolder } = this.#parts;
    const error = divergedError(divergence);
    options.logger.error('the state of this node is not what the other nodes have, and it stops', { error });
    const marked = markDiverged(dataFolder, divergence).catch((cause: unknown) =>
      options.logger.error('the file that keeps this node from starting again could not be written', { error: cause }),
    );
    this.#stopping = marked.then(() => this.#stop(error));
  }

  async #stop(failure: Error | null): Promise<void> {
    const { options, closers } = this.#parts;
    options.logger.info('the node stops');
    if (failure === null) await this.#handOver();
    await closers.closeAll();
    options.logger.info('the node has stopped');
    this.#resolveEnded({ failure });
  }

  async #handOver(): Promise<void> {
    const { options, node, links } = this.#parts;
    const limitMs = options.deployment.loaded.config.stop.transferSeconds * 1000;
    links.stopAccepting();
    const until = performance.now() + limitMs;
    while (node.consensus.counters.pendingForwards > 0 && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_LOOK_MS));
    }
    const left = node.consensus.counters.pendingForwards;
    if (left > 0) options.logger.warn('accepted packets have not reached the list', { left });
    const others = node.raft.getConfiguration().configuration.servers.filter(({ suffrage }) => suffrage === 'voter');
    if (node.raft.state !== 'leader' || others.length < 2 || limitMs === 0) return;
    try {
      await withTimeout(node.raft.leadershipTransfer(), limitMs, 'leadership was not handed over');
      options.logger.info('leadership was handed over');
    } catch (error) {
      options.logger.warn('leadership could not be handed over; the others will elect', { error });
    }
  }

  /** Everything that is measured. What shows it is loaded when somebody first asks, which spares a start eighty modules. */
  #metricsText(): () => Promise<string> {
    let text: Promise<() => Promise<string>> | undefined;
    const load = async (): Promise<() => Promise<string>> => {
      const { nodeMetrics } = await import('../metrics/node-metrics.js');
      return nodeMetrics(this.#metricsHost(), { processMetrics: true });
    };
    return async () => (await (text ??= load()))();
  }

  #metricsHost(): MetricsHost {
    const { node, links, store } = this.#parts;
    return {
      node,
      links: () => links.states(),
      linkCounters: () => links.counters(),
      storeStats: () => numbersOf(store.stats()),
    };
  }

  #httpHost(metrics: () => Promise<string>): HttpHost {
    const { node, clocks } = this.#parts;
    return {
      directory: () => node.directory(),
      onDirectory: (listener) => node.consensus.on('directoryPublished', listener),
      quorumAt: (creation) => node.consensus.committeeAt(creation).quorum,
      trustRoots: () => encodeTrustRoots(node.roots.chain.after(node.roots.chain.first.document.version, Infinity)),
      failure: () => node.raft.failure?.message ?? null,
      notReadyBecause: () => this.#notReadyBecause(),
      metrics,
      now: () => clocks.consensus.wallNow() / 1000,
    };
  }

  #notReadyBecause(): Promise<readonly string[]> {
    return readiness(this.node, this.#stopping !== null);
  }

  #adminHost(metrics: () => Promise<string>, http: HttpServer | null): AdminHost {
    const { node, clocks } = this.#parts;
    let last: RoundReport | null = null;
    node.consensus.on('roundEnded', (ended) => {
      last = { ...ended };
    });
    return {
      node,
      describe: () => this.#describe(http),
      lastRound: () => last,
      addressOf: (identity) => {
        const known = node.rootService.everyNode.find((other) => other.identity === identity);
        return known === undefined ? null : `${known.host}:${known.port}`;
      },
      reloadKeys: () => this.#parts.ownKeys.reload(),
      manualClock: clocks.manual,
      now: () => clocks.consensus.wallNow() / 1000,
      metrics,
      // After the answer has gone out.
      stop: () => void setImmediate(() => void this.stop()),
    };
  }

  async #describe(http: HttpServer | null): Promise<Pick<StatusReport, 'process' | 'links' | 'storeBytes'>> {
    const { options, links, store, clocks, startedAt, ownKeys } = this.#parts;
    const { loaded } = options.deployment;
    const { keys } = ownKeys;
    const because = await this.#notReadyBecause();
    const uptimeSeconds = process.uptime();
    return {
      process: {
        name: loaded.config.name ?? null,
        version: options.version,
        pid: process.pid,
        startedAt,
        uptimeSeconds,
        rssBytes: process.memoryUsage.rss(),
        peakRssBytes: process.resourceUsage().maxRSS * 1024,
        fingerprint: keys.fingerprint,
        listen: { host: loaded.config.listen.host, port: links.port },
        http: http === null ? null : { host: loaded.config.http.host, port: http.port },
        manualClock: clocks.manual !== null,
        ready: because.length === 0,
        notReadyBecause: because,
      },
      links: links.states(),
      storeBytes: storeBytesOf(store),
    };
  }
}

interface Parts {
  readonly options: NodeProcessOptions;
  readonly dataFolder: string;
  readonly closers: Closers;
  readonly node: DiscoveryNode;
  readonly links: NodeLinks;
  readonly ownKeys: OwnKeys;
  readonly store: LmdbStore;
  readonly clocks: NodeClocks;
  /** Unix seconds. */
  readonly startedAt: number;
}

async function openParts(options: NodeProcessOptions, closers: Closers): Promise<Parts> {
  const { deployment, logger } = options;
  const { config, path } = deployment.loaded;
  const clocks = nodeClocks(config.clock.offsetSeconds, options.manualClock);
  for (const warning of expiryWarnings(deployment, clocks.consensus.wallNow() / 1000)) logger.warn(warning);
  const dataFolder = path(config.data.directory);
  await makePrivateFolder(dataFolder).catch((cause: unknown): never => {
    const message = `data.directory, ${dataFolder}, cannot be made: it must be a folder that this user may write to`;
    throw new NodeError('NODE_CONFIG_INVALID', message, { dataFolder }, cause);
  });
  const lock = await lockData(dataFolder);
  closers.add('the lock', () => lock.release());
  await refuseDiverged(dataFolder);
  const store = await LmdbStore.open({ path: join(dataFolder, 'raft'), maxBytes: config.data.maxBytes, logger });
  closers.add('the store', () => store.close());
  const { logStore, stableStore, snapshotStore } = store;
  const hadState = await hasExistingState(logStore, stableStore, snapshotStore);
  const { identity } = deployment.keys.identity;
  await checkOwner(dataFolder, { identity, hasState: hadState });
  const directoryStore = await FileDirectoryStore.open({ folder: join(dataFolder, 'directories'), logger });
  const verdicts = await VerdictMemory.open({ folder: join(dataFolder, 'verdicts'), logger });
  closers.add('the verdicts', () => verdicts.close());
  const verifyPool = new VerifyPool();
  closers.add('the verifying threads', () => verifyPool.close());
  const roots = await openRoots(options, { dataFolder, clocks, verifyPool });
  const { signatures, ...raft } = config.raft;
  const node = await DiscoveryNode.create({
    roots,
    identity: deployment.keys.identity,
    root: deployment.root,
    members: config.members,
    consensus: given(config.consensus),
    raft: given(raft) as Partial<RaftConfig>,
    signatures,
    stores: { logStore, stableStore, snapshotStore, directoryStore },
    limits: { ...DEFAULT_LIMITS, ...config.limits },
    clock: clocks.clock,
    consensusClock: clocks.consensus,
    logger,
    verifyPool,
    verdicts,
  });
  closers.add('the node', () => node.stop());
  // Before the first peer can be heard: its vote request would make this node one of an existing cluster.
  await foundCluster({ node, config, dataFolder, hadState, anyway: options.bootstrap, logger });
  const hasState = hadState || (await hasExistingState(logStore, stableStore, snapshotStore));
  await keepOwner(dataFolder, { identity, hasState });
  const links = await openLinks({
    deployment,
    credentials: deployment.keys.link,
    node,
    clock: clocks.clock,
    random: systemRandom(),
    logger,
  }).catch((error: unknown): never => {
    throw cannotListen('listen', config.listen, error);
  });
  closers.add('the links', () => links.close());
  const folder = path(config.keys.directory);
  const ownKeys = new OwnKeys({ folder, keys: deployment.keys, node, links, logger });
  const startedAt = Math.floor(Date.now() / 1000);
  return { options, dataFolder, closers, node, links, ownKeys, store, clocks, startedAt };
}

/** The trust roots that are stored, and those that have to be fetched before this node can be one of them. */
async function openRoots(
  { deployment, logger }: NodeProcessOptions,
  { dataFolder, clocks, verifyPool }: { dataFolder: string; clocks: NodeClocks; verifyPool: VerifyPool },
): Promise<RootKeeper> {
  const { loaded, keys, first, root } = deployment;
  const { config } = loaded;
  const keeper = await RootKeeper.open({
    ...{ first, configured: config.members, logger },
    crypto: pkiRootCrypto(verifyPool),
    store: new FileRootStore(join(dataFolder, ROOTS_FILE)),
  });
  const { identity } = keys.identity;
  const isNode = keeper.chain
    .at(clocks.consensus.wallNow() / 1000)
    .document.nodes.some((node) => node.identity === identity);
  if (!isNode) {
    const { learnRoots } = await import('./learn-roots.js');
    await learnRoots({
      ...{ keeper, identity, logger, clock: clocks.clock },
      peers: config.join?.peers ?? [],
      protocolVersion: root.profile.discoveryVersion,
    });
  }
  return keeper;
}

/** Bytes of log, term, vote and snapshots on disk. */
function storeBytesOf(store: LmdbStore): number {
  const { fileBytes, snapshotBytes } = store.stats();
  return fileBytes + snapshotBytes;
}

/** The properties that are numbers. */
function numbersOf(stats: object): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(stats).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
  );
}
