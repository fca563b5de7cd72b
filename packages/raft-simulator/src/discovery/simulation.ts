import type { DiscoveryMessage, PolicyName } from '@discovery-raft/discovery-consensus-fsm';
import type { Violation } from '../checkers/checker.js';
import { SimDisk } from '../disk/sim-disk.js';
import { Journal } from '../journal.js';
import type { LinkFaults } from '../network/link-faults.js';
import { SimNetwork } from '../network/sim-network.js';
import { Dice } from '../scenario/dice.js';
import { VirtualClock } from '../time/virtual-clock.js';
import { secondsAt, slotStartMs } from './calendar.js';
import { Calm } from './calm.js';
import type { DiscoveryChecker, Receipt } from './checkers/checker.js';
import { makeDiscoveryPanel, type DiscoveryPanel } from './checkers/panel.js';
import { Keyring } from './crypto/keyring.js';
import { ListingReader } from './crypto/listings.js';
import { identityOf, nameOf, splitPacket } from './crypto/packets.js';
import { Conspiracy } from './liars/conspiracy.js';
import { Liar } from './liars/liar.js';
import { Mischief } from './liars/mischief.js';
import { Poisoner } from './liars/poisoner.js';
import { MessageNetwork } from './network/message-network.js';
import { DiscoveryNemesis } from './nemesis.js';
import { DirectoryDisk } from './node/directory-disk.js';
import { DiscoverySimNode, type NodeWorld } from './node/discovery-node.js';
import { Outside } from './outside/publishers.js';
import { watchProcess, type ProcessWatch } from './process-watch.js';
import { RootChange } from './roots/root-change.js';
import { drawDiscoveryScenario, type DiscoveryScenario, type NodePlan } from './scenario.js';

/** Slots with faults. */
const FAULT_SLOTS = 5;
/** How often somebody pulls a directory from each honest node, on average. */
const PULL_EVERY_MS = 1500;

/** What a simulation came to. */
export interface DiscoveryResult {
  readonly seed: number;
  /** Equal for equal runs. */
  readonly traceHash: string;
  readonly traceEvents: number;
  /** Readable, when it was asked for. */
  readonly trace: readonly string[];
  /** The first rule that was broken, null when none was. */
  readonly violation: Violation | null;
  readonly nodes: number;
  readonly liars: number;
  readonly counts: DiscoveryCounts;
}

/** How much happened. */
export interface DiscoveryCounts {
  /** Directories that went public at honest nodes. */
  published: number;
  accepted: number;
  refused: number;
  /** Signatures over listings of rounds. */
  signatures: number;
  crashes: number;
  lies: number;
  alarms: number;
  /** Accepted items found in good slots; and those that nobody kept, since a liar removed them and all keepers crashed. */
  found: number;
  forgotten: number;
  /** Trust roots that came after the first; and those that too few signed in time, so that there can be no rounds. */
  roots: number;
  stuck: number;
  /** Of the published directories, those that another root than the first decided. */
  byNextRoot: number;
}

/**
 * Runs the simulation of one seed.
 *
 * @param options `record`: keep the readable trace; `policy`: default `safe`
 */
export function simulateDiscovery(
  seed: number,
  options: { readonly record?: boolean; readonly policy?: PolicyName } = {},
): Promise<DiscoveryResult> {
  return runDiscoveryScenario(drawDiscoveryScenario(seed, options.policy ?? 'safe'), options.record);
}

/** Runs a scenario, drawn or written by hand. */
export function runDiscoveryScenario(scenario: DiscoveryScenario, record = false): Promise<DiscoveryResult> {
  return new DiscoverySimulation(scenario, record).run();
}

/** Discovery nodes, some of which lie, in virtual time. */
class DiscoverySimulation {
  readonly #scenario: DiscoveryScenario;
  readonly #world = new VirtualClock();
  readonly #journal: Journal;
  readonly #dice: Dice;
  readonly #links: LinkFaults;
  readonly #listings = new ListingReader();
  readonly #ring: Keyring;
  readonly #nodes: readonly DiscoverySimNode[];
  readonly #byId = new Map<string, DiscoverySimNode>();
  readonly #liars = new Map<string, Liar>();
  readonly #panel: DiscoveryPanel;
  readonly #network: NodeWorld;
  readonly #rootChange: RootChange;
  readonly #nemesis: DiscoveryNemesis;
  readonly #watch: ProcessWatch;
  readonly #clockSetMs = new Map<string, number>();
  readonly #counts: DiscoveryCounts = {
    ...{ published: 0, accepted: 0, refused: 0, signatures: 0, crashes: 0, lies: 0, alarms: 0, found: 0, forgotten: 0 },
    ...{ roots: 0, stuck: 0, byNextRoot: 0 },
  };

  constructor(scenario: DiscoveryScenario, record: boolean) {
    this.#scenario = scenario;
    this.#journal = new Journal(this.#world, record);
    this.#dice = new Dice(scenario.seed ^ 0x2f6e2b1);
    this.#links = { ...scenario.calm };
    this.#ring = new Keyring(scenario.seed, (identity, content) => this.#signed(identity, content));
    this.#rootChange = new RootChange(scenario, this.#world);
    const world = this.#makeWorld();
    this.#network = world;
    this.#nodes = scenario.nodes.map((plan) => this.#makeNode(plan, world));
    for (const node of this.#nodes) this.#byId.set(node.id, node);
    this.#makeLiars(world);
    this.#panel = makeDiscoveryPanel({
      policy: scenario.policy,
      committees: this.#rootChange.committees,
      committeeAt: this.#rootChange.committeeAt,
      ring: this.#ring,
      listings: this.#listings,
      nodes: this.#nodes,
      journal: this.#journal,
      now: () => secondsAt(this.#world.now),
      steadySeconds: (id) => (this.#world.now - (this.#clockSetMs.get(id) ?? -Infinity)) / 1000,
    });
    this.#nemesis = new DiscoveryNemesis({
      scenario,
      world: this.#world,
      dice: this.#dice.fork(),
      nodes: this.#nodes,
      cuts: world.raftNetwork.cuts,
      links: this.#links,
      hands: {
        crash: (node, outageMs) => this.#crash(node, outageMs),
        setClock: (node, skewSeconds) => this.#setClock(node, skewSeconds),
        note: (what, detail) => this.#journal.note('nemesis', what, [], () => detail),
      },
    });
    this.#watch = {
      journal: this.#journal,
      listings: this.#listings,
      counts: this.#counts,
      tell: (node, event) => this.#tell(node, event),
      step: (node) => this.#nemesis.step(node),
    };
  }

  #makeWorld(): NodeWorld {
    const nothing = (): void => undefined;
    const events = { sent: nothing, arriving: nothing, arrived: nothing, answering: nothing };
    const raftNetwork = new SimNetwork(this.#world, this.#dice.fork(), this.#links, events);
    const network = new MessageNetwork({
      world: this.#world,
      dice: this.#dice.fork(),
      faults: this.#links,
      cuts: raftNetwork.cuts,
      deliver: (from, to, message) => this.#deliver(from, to, message),
    });
    return {
      scenario: this.#scenario,
      clock: this.#world,
      raftNetwork,
      network,
      ring: this.#ring,
      members: this.#scenario.nodes.map(({ name }) => identityOf(name, 'discovery')),
      roots: this.#rootChange.roots,
      hooks: {
        made: (node, process) => {
          if (node.honest) watchProcess(node, process, this.#watch);
        },
        started: (node) => this.#journal.note(node.plan.name, 'starts', [node.process?.number ?? 0]),
        failed: (node, what) => this.#tell(node, (checker) => checker.failed?.(node, what)),
        roleChanged: (node) => this.#journal.note(node.plan.name, node.raft?.state ?? '', [node.raft?.term ?? 0]),
      },
    };
  }

  #makeNode(plan: NodePlan, world: NodeWorld): DiscoverySimNode {
    const dice = this.#dice.fork();
    const id = identityOf(plan.name, 'discovery');
    const disk = new SimDisk(plan.disk, dice.fork(), () => this.#world.now, {
      written: () => undefined,
      misused: (what) => this.#journal.report('safety', 'stores are used as they ask for', `${plan.name}: ${what}`),
      failed: () => undefined,
      crashDue: () => undefined,
    });
    const directoryDisk = new DirectoryDisk(dice.fork(), plan.disk.writeMs);
    return new DiscoverySimNode({ id, plan, disk, directoryDisk, dice, world });
  }

  #makeLiars({ network, members }: NodeWorld): void {
    const lying = this.#nodes.filter((node) => !node.honest);
    const conspiracy = new Conspiracy(
      lying.map((node) => node.key),
      this.#ring.key(identityOf('accomplice', 'onion')),
    );
    for (const node of lying) {
      const liar = new Liar({
        ...{ node, network, members, conspiracy, plan: node.plan.lies!, dice: this.#dice.fork() },
        ...{ world: this.#world, ring: this.#ring },
        note: (what, detail) => this.#journal.note(node.plan.name, what, [], () => detail),
        lied: () => void this.#counts.lies++,
      });
      node.disguise = liar;
      this.#liars.set(node.id, liar);
    }
  }

  async run(): Promise<DiscoveryResult> {
    for (const node of this.#nodes) if (this.#rootChange.isOfFirst(node)) node.start();
    this.#nemesis.start();
    this.#rootChange.start({
      nodes: this.#nodes,
      passes: (from, to) => this.#network.network.stands(from, to),
      note: (what, detail) => this.#journal.note('operator', what, [], () => detail),
    });
    const receipt = (told: Receipt): void => this.#receipt(told);
    const { outside: plan, seed } = this.#scenario;
    const dividingDice = new Dice(seed ^ 0x17c4e82b);
    new Outside({
      ...{
        plan,
        world: this.#world,
        dice: this.#dice.fork(),
        dividingDice,
        ring: this.#ring,
        nodes: this.#nodes,
        receipt,
      },
    }).start();
    const poisonDice = new Dice(seed ^ 0x6b8f2c15);
    for (const liar of this.#liars.values()) {
      new Mischief(liar).start();
      new Poisoner(liar, poisonDice.fork()).start();
    }
    this.#pullSometimes();
    await this.#until(slotStartMs(FAULT_SLOTS) + 5000);
    if (!this.#failed) {
      for (const node of this.#nodes) this.#clockSetMs.set(node.id, this.#world.now);
      if (!(await this.#makeCalm().run())) this.#counts.stuck++;
    }
    for (const node of this.#nodes) node.kill();
    return this.#result();
  }

  get #failed(): boolean {
    return this.#journal.violation !== null;
  }

  #makeCalm(): Calm {
    return new Calm({
      ...{ world: this.#world, journal: this.#journal, nodes: this.#nodes, checkers: this.#panel.checkers },
      ...{ nemesis: this.#nemesis, rootChange: this.#rootChange, networks: this.#network },
      crash: (node, outageMs) => this.#crash(node, outageMs),
      died: (node, process) => this.#tell(node, (checker) => checker.died?.(node, process)),
    });
  }

  #until(endMs: number): Promise<void> {
    return this.#world.run(
      endMs,
      () => undefined,
      () => this.#failed,
    );
  }

  #tell(node: DiscoverySimNode, event: (checker: DiscoveryChecker) => void): void {
    if (node.honest) for (const checker of this.#panel.checkers) event(checker);
  }

  #crash(node: DiscoverySimNode, outageMs: number): void {
    const { process } = node;
    if (process === null) return;
    this.#counts.crashes++;
    this.#journal.note(node.plan.name, 'crashes', [], () => `for ${outageMs.toFixed(0)} ms`);
    node.kill();
    this.#tell(node, (checker) => checker.died?.(node, process));
    this.#world.schedule(outageMs, () => node.start());
  }

  #setClock(node: DiscoverySimNode, skewSeconds: number): void {
    this.#journal.note(node.plan.name, 'clock set', [], () => `${skewSeconds.toFixed(2)} s ahead`);
    this.#clockSetMs.set(node.id, this.#world.now);
    node.setClock(skewSeconds);
  }

  #deliver(from: string, to: string, message: DiscoveryMessage): void {
    const node = this.#byId.get(to);
    const { process } = node ?? {};
    if (node === undefined || process === null || process === undefined) return;
    process.clock.run(() => {
      this.#liars.get(to)?.heard(from, message);
      if (message.event === 'discoveryRequestConsensusVote') {
        const { body } = message;
        this.#tell(node, (checker) => checker.requestArriving?.(node, from, body));
      }
      process.consensus.onMessage(from, message).catch((error: unknown) => {
        this.#tell(node, (checker) => checker.failed?.(node, `a message is not handled: ${String(error)}`));
      });
    });
  }

  /** A signature has been made: by now the panel exists, as nobody signs before the start. */
  #signed(identity: string, content: Uint8Array): void {
    const node = this.#byId.get(identity);
    if (node === undefined) return;
    if (Buffer.compare(content, this.#rootChange.roots.bytes) === 0) {
      this.#journal.note(node.plan.name, 'signs the trust root');
      for (const checker of this.#panel.checkers) checker.rootSigned?.(identity);
      return;
    }
    const listing = this.#listings.read(content);
    if (listing === null) {
      for (const checker of this.#panel.checkers) checker.packetSigned?.(identity, content);
      return;
    }
    this.#counts.signatures++;
    const honest = node.honest ? node : null;
    this.#journal.note(node.plan.name, 'signs', [listing.creation, parseInt(listing.digest.slice(0, 8), 16)]);
    for (const checker of this.#panel.checkers) checker.listingSigned?.({ identity, node: honest, listing });
    if (honest !== null) this.#nemesis.step(honest);
  }

  #receipt(receipt: Receipt): void {
    const { node, outcome } = receipt;
    if (!node.honest) return;
    if (outcome.code === 'accepted') this.#counts.accepted++;
    else this.#counts.refused++;
    this.#journal.note(node.plan.name, outcome.code, [receipt.packet.length], () => describePacket(receipt.packet));
    this.#tell(node, (checker) => checker.receipt?.(receipt));
  }

  /** Somebody asks honest nodes for their directory. */
  #pullSometimes(): void {
    this.#world.schedule(this.#dice.exponential(PULL_EVERY_MS), () => {
      // At times all at the same moment: what each makes by itself must not add up to more.
      const all = this.#dice.chance(0.2);
      for (const node of this.#nodes) if (node.honest && (all || this.#dice.chance(0.3))) this.#pull(node);
      this.#pullSometimes();
    });
  }

  #pull(node: DiscoverySimNode): void {
    const { process } = node;
    if (process === null || process.raft === null) return;
    process.clock.run(() => {
      process.consensus.getDirectory().then(
        (directory) => {
          if (directory === null || node.process !== process) return;
          this.#tell(node, (checker) => checker.served?.(node, directory));
        },
        (error: unknown) => this.#tell(node, (checker) => checker.failed?.(node, `pull: ${String(error)}`)),
      );
    });
  }

  #result(): DiscoveryResult {
    const { trace, violation } = this.#journal;
    const { found, forgotten } = this.#panel.accepted.counts;
    return {
      seed: this.#scenario.seed,
      traceHash: trace.hash,
      traceEvents: trace.events,
      trace: trace.lines,
      violation,
      nodes: this.#nodes.length,
      liars: this.#liars.size,
      counts: { ...this.#counts, found, forgotten, roots: this.#rootChange.roots.isPublished ? 1 : 0 },
    };
  }
}

function describePacket(packet: Uint8Array): string {
  const item = splitPacket(packet)?.item;
  return item === undefined ? 'no packet' : `${nameOf(item.identity)} until ${item.expiration}`;
}
