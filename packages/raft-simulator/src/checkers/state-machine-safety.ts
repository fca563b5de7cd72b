import type { LogEntry, LogIndex } from '@discovery-raft/raft-core';
import type { Incarnation, SimNode } from '../node/sim-node.js';
import type { Checker, Report } from './checker.js';
import type { CommittedLog } from './committed-log.js';
import { sameContent } from './log-matching.js';

/**
 * Every state machine executes the committed commands and no others, each once and in order (Raft paper, section 5.4.3);
 * and what a node shows as readable is the state of the commands up to its applied index, tombstones or not.
 */
export class StateMachineSafety implements Checker {
  static readonly rule = 'state machine safety';
  readonly #last = new WeakMap<Incarnation, LogIndex>();
  /** Applied in this turn; the leader tells of the commit after it has applied. */
  #applied: { readonly node: SimNode; readonly entry: LogEntry }[] = [];
  readonly #log: CommittedLog;
  readonly #report: Report;

  constructor(log: CommittedLog, report: Report) {
    this.#log = log;
    this.#report = report;
  }

  commandApplied(node: SimNode, entry: LogEntry): void {
    const process = node.process!;
    const { index } = entry;
    const last = Math.max(this.#last.get(process) ?? 0, process.machine.registers.lastCommand);
    this.#last.set(process, index);
    if (index <= last) this.#report(`${node.id} applies ${index} after ${last}`);
    this.#applied.push({ node, entry });
  }

  disaster(): void {
    this.#applied = [];
  }

  #compare(node: SimNode, entry: LogEntry): void {
    const { index, term } = entry;
    const committed = this.#log.entryAt(index);
    if (committed === undefined) {
      return this.#report(`${node.id} applies (${index}, term ${term}), which is not committed`);
    }
    if (committed.term !== term || !sameContent(committed, entry)) {
      this.#report(
        `${node.id} applies (${index}, term ${term}), and another entry is committed there: term ${committed.term}`,
      );
    }
  }

  settled(node: SimNode): void {
    if (this.#applied.length > 0) {
      const applied = this.#applied;
      this.#applied = [];
      for (const { node: by, entry } of applied) this.#compare(by, entry);
    }
    const { raft, machine } = node;
    if (raft === null || machine === null || raft.state === 'shutdown' || !raft.readable) return;
    const { registers } = machine;
    const index = Math.max(raft.appliedIndex, registers.lastCommand);
    const digest = this.#log.digestAt(index);
    if (digest === undefined || digest === registers.digest || this.#log.isAstray(node)) return;
    this.#report(`${node.id} shows a state that is not the one after entry ${index}`);
  }
}
