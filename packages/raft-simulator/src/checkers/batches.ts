import type { LogIndex } from '@discovery-raft/raft-core';
import type { Operation } from '../clients/operation.js';
import { decodeCommand } from '../node/register-machine.js';
import type { Checker, Report } from './checker.js';
import type { CommittedLog } from './committed-log.js';

/**
 * Commands of one batch stand behind each other in the log, in their order; of a batch whose leader was lost a part may be
 * committed, but always from its first command on.
 */
export class Batches implements Checker {
  static readonly rule = 'batches in one piece';
  readonly #log: CommittedLog;
  readonly #report: Report;

  constructor(log: CommittedLog, report: Report) {
    this.#log = log;
    this.#report = report;
  }

  finished(operations: readonly Operation[]): void {
    const batches = new Map<number, Operation[]>();
    for (const operation of operations) {
      if (operation.batch === 0) continue;
      const batch = batches.get(operation.batch);
      if (batch === undefined) batches.set(operation.batch, [operation]);
      else batch.push(operation);
    }
    if (batches.size === 0) return;
    const committed = this.#committed();
    for (const batch of batches.values()) this.#check(batch, committed);
  }

  #committed(): Map<string, LogIndex> {
    const result = new Map<string, LogIndex>();
    for (let index = 1; index <= this.#log.lastIndex; index++) {
      const entry = this.#log.entryAt(index)!;
      if (entry.type === 0) result.set(decodeCommand(entry.data).value, index);
    }
    return result;
  }

  #check(batch: readonly Operation[], committed: ReadonlyMap<string, LogIndex>): void {
    const first = committed.get(batch[0]!.value!);
    let over = false;
    batch.forEach(({ value, server }, i) => {
      const index = committed.get(value!);
      if (index === undefined) {
        over = true;
        return;
      }
      const what = `${server} was given ${value} as part ${i + 1} of a batch, which is committed at ${index}`;
      if (over || first === undefined) this.#report(`${what}, and a part before it is not`);
      else if (index !== first + i) this.#report(`${what}; the batch begins at ${first}`);
    });
  }
}
