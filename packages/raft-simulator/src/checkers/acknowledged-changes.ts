import { EntryType, type Configuration, type LogIndex } from '@discovery-raft/raft-core';
import type { Change } from '../clients/change.js';
import type { Checker, Report } from './checker.js';
import type { CommittedLog } from './committed-log.js';
import { heldBy } from './configurations.js';
import { describeConfiguration, sameConfiguration } from './quorum.js';

/**
 * A change of the membership that was acknowledged is committed, at the index that the operator was told; and one that
 * was to follow a certain configuration followed that one.
 */
export class AcknowledgedChanges implements Checker {
  static readonly rule = 'acknowledged changes survive';
  readonly #log: CommittedLog;
  readonly #report: Report;

  constructor(log: CommittedLog, report: Report) {
    this.#log = log;
    this.#report = report;
  }

  changed(change: Change, index: LogIndex, prevIndex: LogIndex): void {
    const what = `${change.kind} ${'id' in change ? change.id : ''} is acknowledged at ${index}`;
    const entry = this.#log.entryAt(index);
    if (entry?.type !== EntryType.configuration) return this.#report(`${what}, where no configuration is committed`);
    const { configuration } = heldBy(entry);
    if (!isDone(change, configuration)) {
      return this.#report(`${what}, where ${describeConfiguration(configuration)} is committed`);
    }
    // A vote takes a second step, and other changes may come between the two.
    if (prevIndex === 0 || change.kind === 'addVoter' || change.kind === 'replace') return;
    const before = this.#log.configurationBefore(index);
    if (before !== prevIndex) this.#report(`${what} after configuration ${before}; it was to follow ${prevIndex}`);
  }
}

function isDone(change: Change, configuration: Configuration): boolean {
  if (change.kind === 'replace') return sameConfiguration(configuration, { servers: change.servers });
  const { servers } = configuration;
  const suffrage = servers.find(({ id }) => id === change.id)?.suffrage;
  switch (change.kind) {
    case 'addVoter':
      return suffrage === 'voter';
    case 'addNonvoter':
      return suffrage !== undefined;
    case 'demoteVoter':
      return suffrage === 'nonvoter';
    case 'removeServer':
      return suffrage === undefined;
  }
}
