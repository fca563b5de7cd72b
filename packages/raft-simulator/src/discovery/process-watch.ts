import type { StoredRecord } from '@discovery-raft/raft-log-list';
import type { Journal } from '../journal.js';
import type { DiscoveryChecker } from './checkers/checker.js';
import type { ListingReader } from './crypto/listings.js';
import { nameOf } from './crypto/packets.js';
import type { DiscoveryProcess, DiscoverySimNode } from './node/discovery-node.js';

/** Every so many log entries the lists are compared, and at each freeze marker. */
const COMPARED_EVERY = 50;

/** Who is told what a process does. */
export interface ProcessWatch {
  readonly journal: Journal;
  readonly listings: ListingReader;
  readonly counts: { published: number; byNextRoot: number; alarms: number };
  tell(node: DiscoverySimNode, event: (checker: DiscoveryChecker) => void): void;
  /** The machine of a node in a round has moved. */
  step(node: DiscoverySimNode): void;
}

/** Notes and tells what an honest node's process does, for as long as it is the node's. */
export function watchProcess(node: DiscoverySimNode, process: DiscoveryProcess, watch: ProcessWatch): void {
  const { journal, listings, counts } = watch;
  const tell = (event: (checker: DiscoveryChecker) => void): void => watch.tell(node, event);
  tell((checker) => checker.starting?.(node, process));
  const live = <Args extends unknown[]>(heed: (...args: Args) => void) => {
    return (...args: Args): void => {
      if (node.process === process) heed(...args);
    };
  };
  watchList(node, process, watch);
  const { consensus } = process;
  const { name } = node.plan;
  consensus.on(
    'stateChanged',
    live(({ to, round }) => {
      journal.note(name, to, [round ?? 0]);
      if (round === null) return;
      if (to === 'LeaderConsensusCalc') tell((checker) => checker.led?.(node, round));
      watch.step(node);
    }),
  );
  consensus.on(
    'roundEnded',
    live(({ round, published, signatures, items, reason }) => {
      journal.note(name, 'round ended', [round, published ? 1 : 0, signatures, items], () => {
        return published ? `${round}: ${items} items, ${signatures} signatures` : `${round}: ${reason}`;
      });
    }),
  );
  consensus.on(
    'directoryPublished',
    live((directory) => {
      counts.published++;
      if ((listings.read(directory.directory.directory)?.rootVersion ?? 1) > 1) counts.byNextRoot++;
      tell((checker) => checker.published?.(node, directory));
      tell((checker) => checker.served?.(node, directory));
    }),
  );
  consensus.on(
    'alarmRaised',
    live((alarm) => {
      counts.alarms++;
      journal.note(name, `alarm ${alarm.code}`, [], () => alarm.detail);
      tell((checker) => checker.alarm?.(node, alarm));
    }),
  );
  consensus.on(
    'messageRefused',
    live((refusal) => tell((checker) => checker.refused?.(node, refusal))),
  );
}

function watchList(node: DiscoverySimNode, process: DiscoveryProcess, watch: ProcessWatch): void {
  const { journal } = watch;
  const tell = (event: (checker: DiscoveryChecker) => void): void => watch.tell(node, event);
  const { list } = process;
  const view = (index: number, always: boolean): void => {
    if (!always && index % COMPARED_EVERY !== 0) return;
    if ((process.raft?.incompleteUntil ?? Infinity) > index) return;
    tell((checker) => checker.viewed?.(node, list.view()));
  };
  list.on('inserted', ({ record }) => {
    journal.note(node.plan.name, 'inserted', [record.index], () => describeRecord(record));
    tell((checker) => checker.inserted?.(node, record));
    view(record.index, false);
  });
  list.on('deleted', ({ record, index }) => {
    journal.note(node.plan.name, 'deleted', [index], () => describeRecord(record));
    tell((checker) => checker.deleted?.(node, record));
    view(index, false);
  });
  list.on('frozen', ({ index }) => view(index, true));
  list.on('restored', ({ index }) => {
    journal.note(node.plan.name, 'restores', [index]);
    for (const record of list.entries()) tell((checker) => checker.inserted?.(node, record));
  });
}

function describeRecord({ identity, expiration, attestations }: StoredRecord): string {
  const by = attestations.map(({ attester }) => nameOf(attester)).join(' ');
  return `${nameOf(identity)} until ${expiration}, by ${by}`;
}
