import type { LogEntry, ServerId } from '../../src/index.js';
import { describeEntry, describeRequest, describeResponse } from './describe.js';
import { ScenarioNode, type Message, type NodeOptions, type Surroundings } from './scenario-node.js';

/** More deliveries than this in one command: the script runs in circles. */
const MAX_DELIVERIES = 2000;

/**
 * Several cores, the network between them, and one virtual clock. Nothing happens unless a script says so; messages wait
 * until they are delivered, in the order in which they were sent.
 */
export class ScenarioCluster {
  readonly nodes = new Map<ServerId, ScenarioNode>();
  now = 0;
  /** Messages under way, oldest first. */
  waiting: Message[] = [];
  /** Links that lose what is sent, as `1->2`. */
  readonly cut = new Set<string>();
  level: 'none' | 'info' | 'debug' = 'info';
  /** The record of the command being carried out. */
  lines: string[] = [];
  #indent = '';
  readonly #appliedAt = new Map<number, string>();
  readonly #leaderOf = new Map<number, ServerId>();

  add(options: NodeOptions): void {
    if (this.nodes.has(options.id)) throw new Error(`there is a node ${options.id} already`);
    this.nodes.set(options.id, new ScenarioNode(options, this.#surroundings()));
  }

  node(id: ServerId): ScenarioNode {
    const node = this.nodes.get(id);
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }

  tell(line: string): void {
    if (this.level !== 'none') this.lines.push(this.#indent + line);
  }

  #surroundings(): Surroundings {
    return {
      now: () => this.now,
      send: (message) => this.#send(message),
      applied: (id, entry) => this.#checkApplied(id, entry),
      tell: (line) => this.tell(line),
      detail: (line) => {
        if (this.level === 'debug') this.tell(line);
      },
    };
  }

  #send(message: Message): void {
    if (!this.nodes.has(message.to) || this.cut.has(`${message.from}->${message.to}`)) {
      this.tell(`lost: ${describeMessage(message)}`);
    } else this.waiting.push(message);
  }

  /** Delivers messages that `chosen` takes, oldest first, those too that are sent meanwhile if `onward`. */
  deliver(chosen: (message: Message) => boolean, onward: boolean, limit = Infinity): number {
    let left = onward ? limit : Math.min(limit, this.waiting.filter(chosen).length);
    let count = 0;
    for (; left > 0; left--) {
      const at = this.waiting.findIndex(chosen);
      if (at < 0) break;
      if (++count > MAX_DELIVERIES) throw new Error('messages go round in circles');
      const [message] = this.waiting.splice(at, 1);
      this.#deliverOne(message!);
    }
    return count;
  }

  #deliverOne(message: Message): void {
    this.tell(describeMessage(message));
    this.#indent = '  ';
    this.node(message.to).receive(message);
    this.#indent = '';
    this.checkLeaders();
  }

  /** Takes messages away; returns them. */
  take(chosen: (message: Message) => boolean, limit = Infinity): Message[] {
    const taken = this.waiting.filter(chosen).slice(0, limit);
    this.waiting = this.waiting.filter((message) => !taken.includes(message));
    return taken;
  }

  /** Time passes; every node ticks when it wants to, and what is sent arrives at once. */
  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const next = [...this.nodes.values()].sort((a, b) => a.core.nextDeadline() - b.core.nextDeadline())[0];
      if (next === undefined || next.core.nextDeadline() > end) break;
      this.now = Math.max(this.now, next.core.nextDeadline());
      next.step({ type: 'tick' });
      this.checkLeaders();
      this.deliver(() => true, true);
    }
    this.now = end;
  }

  /** Election Safety: at most one leader a term, ever. */
  checkLeaders(): void {
    for (const { id, core } of this.nodes.values()) {
      if (core.state !== 'leader') continue;
      const known = this.#leaderOf.get(core.term);
      if (known !== undefined && known !== id) throw new Error(`${known} and ${id} both lead term ${core.term}`);
      this.#leaderOf.set(core.term, id);
    }
  }

  /** State Machine Safety: no two nodes apply different entries at one index. */
  #checkApplied(id: ServerId, entry: LogEntry): void {
    const text = describeEntry(entry);
    const known = this.#appliedAt.get(entry.index);
    if (known !== undefined && known !== text) throw new Error(`${id} applies ${text}, where ${known} was applied`);
    this.#appliedAt.set(entry.index, text);
  }
}

/** One line a message. */
export function describeMessage(message: Message): string {
  const link = `${message.from}->${message.to}`;
  switch (message.kind) {
    case 'request':
      return `${link} ${describeRequest(message.body)}`;
    case 'response':
      return `${link} ${describeResponse(message.body)}`;
    case 'refusal':
      return `${link} refused: ${message.body}`;
  }
}
