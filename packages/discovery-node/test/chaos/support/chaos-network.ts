import type { MadeNode, StatusReport } from '../../../src/index.js';
import { newFolder } from '../../fixtures/folder.js';
import { compileCli } from '../../support/compiled-cli.js';
import { RealNetwork, until, type RealNode } from '../../support/real-network.js';
import { DirectoryWatch } from './directory-watch.js';
import { LinkProxies } from './link-proxies.js';
import { Publishers } from './publishers.js';

/** Long enough that a slot only begins when a story says so. */
export const SLOT_SECONDS = 1200;
/** The time of day goes by ten times as fast as it does outside, so that what waits for seconds need not. */
const TICK_MS = 50;
const TICK_SECONDS = 0.5;
/** How long a round may take on a machine that others use too, milliseconds. */
const ROUND_LIMIT_MS = 8000;
const MOST_ROUNDS = 6;

/** How a network of a story differs from others. */
export interface ChaosOptions {
  readonly nodes: number;
  readonly settings?: Readonly<Record<string, object>>;
  /** Whether the nodes dial one another through cables that can be cut. */
  readonly cables?: boolean;
}

/**
 * Real processes that a story harms, and around them what must hold whatever happens: publishers that remember each
 * promise, a client that looks at every directory, and a time of day that the story moves.
 */
export class ChaosNetwork {
  readonly real: RealNetwork;
  readonly publishers: Publishers;
  readonly watch: DirectoryWatch;
  readonly #cables: LinkProxies | null;
  readonly #running = new Map<MadeNode, RealNode>();
  readonly #paused = new Set<RealNode>();
  readonly #setting = new Set<RealNode>();
  readonly #aheadSeconds = new Map<MadeNode, number>();
  readonly #ticks: NodeJS.Timeout;
  #now: number;
  #jumping = false;

  private constructor(real: RealNetwork, cables: LinkProxies | null) {
    this.real = real;
    this.#cables = cables;
    this.#now = (Math.floor(Date.now() / 1000 / SLOT_SECONDS) + 0.1) * SLOT_SECONDS;
    this.publishers = new Publishers(real.made, () => this.#now);
    this.watch = new DirectoryWatch({
      root: real.made.root,
      now: () => this.#now,
      watched: () => this.nodes.map(({ made }) => made),
    });
    this.#ticks = setInterval(() => this.#tick(), TICK_MS);
  }

  static async start(options: ChaosOptions): Promise<ChaosNetwork> {
    const { raft, consensus, ...settings } = options.settings ?? {};
    const real = await RealNetwork.init(newFolder(), options.nodes, compileCli(newFolder()), {
      slotSeconds: SLOT_SECONDS,
      settings: {
        ...settings,
        raft: { heartbeatTimeoutMs: 1500, electionTimeoutMs: 1500, leaderLeaseTimeoutMs: 1500, ...raft },
        consensus: { sourcePublishesPerSecond: 0, prefixPublishesPerSecond: 0, confirmSeconds: 20, ...consensus },
      },
    });
    const cables = options.cables === true ? await LinkProxies.between(real.made) : null;
    const network = new ChaosNetwork(real, cables);
    try {
      await network.restart(real.made.nodes);
      await network.leader();
    } catch (error) {
      await network.end();
      throw error;
    }
    return network;
  }

  /** The time of day, Unix seconds. */
  get now(): number {
    return this.#now;
  }

  /** The slot that it is in. */
  get slot(): number {
    return Math.floor(this.#now / SLOT_SECONDS);
  }

  /** Those that run, in the order of the network. */
  get nodes(): readonly RealNode[] {
    return this.real.made.nodes.flatMap((made) => this.#running.get(made) ?? []);
  }

  get cables(): LinkProxies {
    if (this.#cables === null) throw new Error('this network has no cables');
    return this.#cables;
  }

  leader(among = this.nodes): ReturnType<RealNetwork['leaderOf']> {
    return this.real.leaderOf(among);
  }

  /** kill -9. */
  async kill(node: RealNode): Promise<void> {
    this.gone(node);
    node.signal('SIGKILL');
    await node.exited;
  }

  /** Tells that a process has ended by itself, or is about to. */
  gone(node: RealNode): void {
    this.#running.delete(node.made);
    this.#paused.delete(node);
    node.admin.close();
  }

  pause(node: RealNode): void {
    this.#paused.add(node);
    node.signal('SIGSTOP');
  }

  resume(node: RealNode): void {
    this.#paused.delete(node);
    node.signal('SIGCONT');
  }

  async restart(
    made: readonly MadeNode[],
    flags: readonly string[] = [],
    launcher?: readonly string[],
  ): Promise<readonly RealNode[]> {
    const started = await this.real.start(made, ['--manual-clock', String(this.#now), ...flags], launcher);
    for (const node of started) this.#running.set(node.made, node);
    return started;
  }

  /** Has the clock of one node go ahead of the others'. */
  putAhead({ made }: RealNode, seconds: number): void {
    this.#aheadSeconds.set(made, seconds);
  }

  /** Moves the time of day. The leader learns of it last, so that its vote requests find nobody in the past. */
  async jump(to: number): Promise<void> {
    this.#jumping = true;
    try {
      this.#now = Math.max(this.#now, to);
      const awake = this.nodes.filter((node) => !this.#paused.has(node));
      const reports = await Promise.all(awake.map(({ admin }) => admin.call('status', {})));
      const isLeader = (i: number): boolean => reports[i]!.raft.state === 'leader';
      await Promise.all(awake.filter((_, i) => !isLeader(i)).map((node) => this.#set(node)));
      await Promise.all(awake.filter((_, i) => isLeader(i)).map((node) => this.#set(node)));
    } finally {
      this.#jumping = false;
    }
  }

  nextSlot(): Promise<void> {
    return this.jump((this.slot + 1) * SLOT_SECONDS);
  }

  /**
   * Lets slots begin until one gives a directory that all these nodes serve. The round that a failure interrupts may be
   * lost; the next ones may not.
   */
  async round(nodes = this.nodes): Promise<StatusReport['directory']> {
    for (let tries = 0; tries < MOST_ROUNDS; tries++) {
      await this.leader(nodes);
      await this.nextSlot();
      const { slot } = this;
      const end = performance.now() + ROUND_LIMIT_MS;
      while (performance.now() < end) {
        const reports = await Promise.all(nodes.map(({ admin }) => admin.call('status', {})));
        const served = new Set(reports.map(({ directory }) => (directory?.round === slot ? directory.digest : null)));
        if (served.size === 1 && !served.has(null)) {
          // Nobody says what was served last before the watch has seen this one: it looks now and then only.
          await Promise.all(nodes.map(({ made }) => this.watch.look(made)));
          return reports[0]!.directory;
        }
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    }
    throw new Error(`no directory in ${MOST_ROUNDS} slots`);
  }

  /**
   * What must hold once a story has healed what it broke: all nodes agree, nothing accepted is lost, the next directory
   * has all of it, and what was served on the way was right.
   */
  async calm(): Promise<void> {
    await this.publishers.rest();
    const { leader } = await this.leader();
    for (const node of this.nodes) {
      await until(`all that was accepted to be in the list of ${node.made.name}`, async () => {
        const there = new Map((await listOf(node)).map(({ identity, expiration }) => [identity, expiration]));
        return this.#valid().every(([identity, expiration]) => (there.get(identity) ?? 0) >= expiration);
      });
    }
    await until('every item to be attested', async () => {
      const { list } = await leader.admin.call('status', {}).catch(() => ({ list: { pending: 1 } }));
      return list.pending === 0;
    });
    await this.round();
    await until('all lists to be the same', async () => {
      const lists = await Promise.all(this.nodes.map(async (node) => JSON.stringify(await listOf(node))));
      return new Set(lists).size === 1;
    });
    for (const { made } of this.nodes) {
      const served = await this.watch.look(made);
      const listed = new Set(served?.verified?.items.map(({ identity }) => identity));
      expect(this.#valid().filter(([identity]) => !listed.has(identity))).toEqual([]);
    }
    expect(this.watch.problems).toEqual([]);
  }

  async end(): Promise<void> {
    clearInterval(this.#ticks);
    await this.watch.end();
    await this.publishers.close();
    await this.real.end();
    await this.#cables?.close();
  }

  /** What was accepted and is valid. */
  #valid(): readonly (readonly [string, number])[] {
    return [...this.publishers.accepted].filter(([, expiration]) => expiration > this.#now + SLOT_SECONDS);
  }

  #tick(): void {
    if (this.#jumping) return;
    this.#now += TICK_SECONDS;
    for (const node of this.nodes) {
      if (this.#paused.has(node) || this.#setting.has(node)) continue;
      this.#setting.add(node);
      void this.#set(node).finally(() => this.#setting.delete(node));
    }
  }

  async #set({ made, admin }: RealNode): Promise<void> {
    const unixSeconds = this.#now + (this.#aheadSeconds.get(made) ?? 0);
    // One that has just been killed, or is ahead already, needs no time.
    await admin.call('clock.set', { unixSeconds }).catch(() => undefined);
  }
}

/** The whole list of a node, attesters in order. */
export async function listOf({
  admin,
}: RealNode): Promise<
  readonly { readonly identity: string; readonly expiration: number; readonly attesters: readonly string[] }[]
> {
  const all = [];
  let after: string | undefined;
  for (;;) {
    const { items, next } = await admin.call('list', { limit: 2000, ...(after === undefined ? {} : { after }) });
    all.push(
      ...items.map(({ identity, expiration, attesters }) => ({
        identity,
        expiration,
        attesters: [...attesters].sort(),
      })),
    );
    if (next === null) return all;
    after = next;
  }
}
