import type { DiscoveryMessage, PolicyName } from '@discovery-raft/discovery-consensus-fsm';
import type { StoredRecord } from '@discovery-raft/raft-log-list';
import type { Violation } from '../checkers/checker.js';
import { SimDisk } from '../disk/sim-disk.js';
import { Journal } from '../journal.js';
import type { LinkFaults } from '../network/link-faults.js';
import { SimNetwork } from '../network/sim-network.js';
import { Dice } from '../scenario/dice.js';
import { VirtualClock } from '../time/virtual-clock.js';
import { secondsAt, SLOT_SECONDS, slotStartMs } from './calendar.js';
import type { DiscoveryChecker, Receipt } from './checkers/checker.js';
import { makeDiscoveryPanel, type DiscoveryPanel } from './checkers/panel.js';
import { Keyring } from './crypto/keyring.js';
import { ListingReader } from './crypto/listings.js';
import { identityOf, nameOf, splitPacket } from './crypto/packets.js';
import { Conspiracy } from './liars/conspiracy.js';
import { Liar } from './liars/liar.js';
import { Mischief } from './liars/mischief.js';
import { MessageNetwork } from './network/message-network.js';
import { DiscoveryNemesis } from './nemesis.js';
import { DirectoryDisk } from './node/directory-disk.js';
import { DiscoverySimNode, type DiscoveryProcess, type NodeWorld } from './node/discovery-node.js';
import { Outside } from './outside/publishers.js';
import { RootChange } from './roots/root-change.js';
import { drawDiscoveryScenario, type DiscoveryScenario, type NodePlan } from './scenario.js';

/** Slots with faults. */
const FAULT_SLOTS = 5;
/** Slots at the end in which everything must work. */
const GOOD_SLOTS = 2;
/** So long after a good slot has begun, its directory must be everywhere; by then no clock is in the next slot. */
const GOOD_WITHIN_MS = 10_000;
/** Within so many slots without faults an honest node must lead. */
const ELECTION_SLOTS = 4;
/** How often somebody pulls a directory from each honest node, on average. */
const PULL_EVERY_MS = 1500;
/** Every so many log entries the lists are compared, and at each freeze marker. */
const COMPARED_EVERY = 50;
/** A lying leader is switched off for so long, when there are no faults any more. */
const REMEDY_MS = 4000;
/** How long an honest node must have led before a slot is expected to succeed. */
const STABLE_MS = 5000;

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
  readonly #clockSetMs = new Map<string, number>();
  /** Who leads once the faults are over, and since when. */
  #reign: { readonly leader: DiscoverySimNode; readonly sinceMs: number } | null = null;
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
        made: (node, process) => this.#made(node, process),
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
    const { outside: plan } = this.#scenario;
    new Outside({
      ...{ plan, world: this.#world, dice: this.#dice.fork(), ring: this.#ring, nodes: this.#nodes, receipt },
    }).start();
    for (const liar of this.#liars.values()) new Mischief(liar).start();
    this.#pullSometimes();
    await this.#until(slotStartMs(FAULT_SLOTS) + 5000);
    if (!this.#failed) await this.#calm();
    for (const node of this.#nodes) node.kill();
    return this.#result();
  }

  get #failed(): boolean {
    return this.#journal.violation !== null;
  }

  /** The faults are over, but not the lies: once an honest node leads, the second slot from then on must be good. */
  async #calm(): Promise<void> {
    this.#journal.note('sim', 'faults over');
    this.#network.raftNetwork.loseAll();
    this.#network.network.loseAll();
    for (const node of this.#nodes) this.#clockSetMs.set(node.id, this.#world.now);
    this.#nemesis.stop();
    if (!this.#rootChange.settle()) {
      this.#counts.stuck++;
      return this.#journal.note('sim', 'too few have signed the trust root in time: there can be no rounds');
    }
    for (const node of this.#nodes) {
      if (this.#present.includes(node)) node.start();
      else if (node.process !== null) this.#switchOff(node);
    }
    const limitMs = this.#world.now + ELECTION_SLOTS * SLOT_SECONDS * 1000;
    await this.#until(limitMs, () => this.#honestLeader());
    if (this.#failed) return;
    if (!this.#honestLeader()) {
      const what = `no honest leader ${ELECTION_SLOTS} slots after the faults`;
      return this.#journal.report('liveness', 'somebody leads', what);
    }
    // A node whose clock was ahead has promised not to sign again until the time that it took for the present has come.
    const promised = this.#present.map(({ honest, directoryDisk }) =>
      honest ? (directoryDisk.signed?.round ?? 0) : 0,
    );
    const promisedUntil = Math.max(...promised);
    const first = Math.max(Math.floor(this.#world.now / 1000 / SLOT_SECONDS) + 2, promisedUntil + 1);
    for (let slot = first; slot < first + GOOD_SLOTS && !this.#failed; slot++) {
      await this.#until(slotStartMs(slot) + GOOD_WITHIN_MS);
      if (this.#failed) return;
      this.#journal.note('sim', 'good slot ends', [slot]);
      for (const checker of this.#panel.checkers) checker.goodSlot?.(slot);
    }
  }

  /**
   * Whether an honest node leads and all have followed it for a while: a transfer that began during the faults may still be
   * under way. A lying leader is switched off for a time, as its operator would.
   */
  #honestLeader(): boolean {
    const leader = this.#nodes.find((node) => node.leads);
    if (leader !== this.#reign?.leader) this.#reign = null;
    if (leader === undefined) return false;
    if (!leader.honest) {
      if (this.#present.every((node) => node.process !== null)) this.#crash(leader, REMEDY_MS);
      return false;
    }
    if (!this.#present.every(({ raft }) => raft?.leader?.id === leader.id)) return false;
    if (this.#reign?.leader !== leader) this.#reign = { leader, sinceMs: this.#world.now };
    return this.#world.now - this.#reign.sinceMs >= STABLE_MS;
  }

  /** The nodes of the root in force. The faults end after the activation of the next one. */
  get #present(): readonly DiscoverySimNode[] {
    return this.#rootChange.present(this.#nodes);
  }

  /** A node that is none any more stops by itself. */
  #switchOff(node: DiscoverySimNode): void {
    const process = node.process!;
    this.#journal.note(node.plan.name, 'is no node any more, and stops');
    node.kill();
    this.#tell(node, (checker) => checker.died?.(node, process));
  }

  #until(endMs: number, done: () => boolean = () => false): Promise<void> {
    return this.#world.run(
      endMs,
      () => undefined,
      () => this.#failed || done(),
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

  #made(node: DiscoverySimNode, process: DiscoveryProcess): void {
    if (!node.honest) return;
    this.#tell(node, (checker) => checker.starting?.(node, process));
    const live = <Args extends unknown[]>(heed: (...args: Args) => void) => {
      return (...args: Args): void => {
        if (node.process === process) heed(...args);
      };
    };
    this.#watchList(node, process);
    const { consensus } = process;
    const { name } = node.plan;
    consensus.on(
      'stateChanged',
      live(({ to, round }) => {
        this.#journal.note(name, to, [round ?? 0]);
        if (round === null) return;
        if (to === 'LeaderConsensusCalc') this.#tell(node, (checker) => checker.led?.(node, round));
        this.#nemesis.step(node);
      }),
    );
    consensus.on(
      'roundEnded',
      live(({ round, published, signatures, items, reason }) => {
        this.#journal.note(name, 'round ended', [round, published ? 1 : 0, signatures, items], () => {
          return published ? `${round}: ${items} items, ${signatures} signatures` : `${round}: ${reason}`;
        });
      }),
    );
    consensus.on(
      'directoryPublished',
      live((directory) => {
        this.#counts.published++;
        if ((this.#listings.read(directory.directory.directory)?.rootVersion ?? 1) > 1) this.#counts.byNextRoot++;
        this.#tell(node, (checker) => checker.published?.(node, directory));
        this.#tell(node, (checker) => checker.served?.(node, directory));
      }),
    );
    consensus.on(
      'alarmRaised',
      live((alarm) => {
        this.#counts.alarms++;
        this.#journal.note(name, `alarm ${alarm.code}`, [], () => alarm.detail);
        this.#tell(node, (checker) => checker.alarm?.(node, alarm));
      }),
    );
    consensus.on(
      'messageRefused',
      live((refusal) => this.#tell(node, (checker) => checker.refused?.(node, refusal))),
    );
  }

  #watchList(node: DiscoverySimNode, process: DiscoveryProcess): void {
    const { list } = process;
    const view = (index: number, always: boolean): void => {
      if (!always && index % COMPARED_EVERY !== 0) return;
      if ((process.raft?.incompleteUntil ?? Infinity) > index) return;
      this.#tell(node, (checker) => checker.viewed?.(node, list.view()));
    };
    list.on('inserted', ({ record }) => {
      this.#journal.note(node.plan.name, 'inserted', [record.index], () => describeRecord(record));
      this.#tell(node, (checker) => checker.inserted?.(node, record));
      view(record.index, false);
    });
    list.on('deleted', ({ record, index }) => {
      this.#journal.note(node.plan.name, 'deleted', [index], () => describeRecord(record));
      this.#tell(node, (checker) => checker.deleted?.(node, record));
      view(index, false);
    });
    list.on('frozen', ({ index }) => view(index, true));
    list.on('restored', ({ index }) => {
      this.#journal.note(node.plan.name, 'restores', [index]);
      for (const record of list.entries()) this.#tell(node, (checker) => checker.inserted?.(node, record));
    });
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

function describeRecord({ identity, expiration, attestations }: StoredRecord): string {
  const by = attestations.map(({ attester }) => nameOf(attester)).join(' ');
  return `${nameOf(identity)} until ${expiration}, by ${by}`;
}
