import type { RaftConfig } from '@discovery-raft/raft-core';
import type { Journal } from '../journal.js';
import { AcknowledgedChanges } from './acknowledged-changes.js';
import { AcknowledgedWrites } from './acknowledged-writes.js';
import { Batches } from './batches.js';
import { Bounds } from './bounds.js';
import type { Checker, Cluster } from './checker.js';
import { CommittedImmutable } from './committed-immutable.js';
import { CommittedLog } from './committed-log.js';
import { ConfigurationSafety } from './configuration-safety.js';
import { Configurations } from './configurations.js';
import { DurableAnswers } from './durable-answers.js';
import { ElectionSafety } from './election-safety.js';
import { LeaderCompleteness } from './leader-completeness.js';
import { LeaderInTouch } from './leader-in-touch.js';
import { LeaderProgress } from './leader-progress.js';
import { Linearizability } from './linearizability.js';
import { LogMatching } from './log-matching.js';
import { Monotone } from './monotone.js';
import { Promises } from './promises.js';
import { ReadIndex } from './read-index.js';
import { ShieldedLeader } from './shielded-leader.js';
import { StateMachineSafety } from './state-machine-safety.js';

/** All checkers of a simulation, and what two of them have found out. */
export interface Panel {
  /** In the order in which they are told: those that others ask come first. */
  readonly checkers: readonly Checker[];
  /** Those that want to hear of what happens most often. */
  readonly hearing: { readonly [K in 'sent' | 'arriving' | 'arrived' | 'settled']: readonly Checker[] };
  readonly configurations: Configurations;
  readonly log: CommittedLog;
  readonly promises: Promises;
  readonly linearizability: Linearizability;
}

/** Makes the checkers of one simulation. */
export function makePanel(cluster: Cluster, config: Partial<RaftConfig>, journal: Journal): Panel {
  const safety = (rule: string): ReturnType<Journal['reporter']> => journal.reporter('safety', rule);
  const configurations = new Configurations();
  const matching = new LogMatching(safety(LogMatching.rule));
  const log = new CommittedLog(cluster, configurations, matching, safety(CommittedLog.rule));
  const linearizability = new Linearizability(safety(Linearizability.rule));
  const checkers: Checker[] = [
    configurations,
    log,
    new ElectionSafety(safety(ElectionSafety.rule)),
    matching,
    new ConfigurationSafety(cluster, log, configurations, safety(ConfigurationSafety.rule)),
    new LeaderCompleteness(log, safety(LeaderCompleteness.rule)),
    new StateMachineSafety(log, safety(StateMachineSafety.rule)),
    new Monotone(safety(Monotone.rule)),
    new Bounds(config, safety(Bounds.rule)),
    new DurableAnswers(cluster, safety(DurableAnswers.rule)),
    new CommittedImmutable(log, safety(CommittedImmutable.rule)),
    new AcknowledgedWrites(cluster, log, safety(AcknowledgedWrites.rule)),
    new AcknowledgedChanges(log, safety(AcknowledgedChanges.rule)),
    new Batches(log, safety(Batches.rule)),
    new ShieldedLeader(config, safety(ShieldedLeader.rule)),
    new LeaderInTouch(config, journal.reporter('liveness', LeaderInTouch.rule)),
    new LeaderProgress(config, journal.reporter('liveness', LeaderProgress.rule)),
    new ReadIndex(cluster, log, safety(ReadIndex.rule)),
    linearizability,
  ];
  const who = (hook: keyof Checker): Checker[] => checkers.filter((checker) => checker[hook] !== undefined);
  const hearing = {
    sent: who('sent'),
    arriving: who('arriving'),
    arrived: who('arrived'),
    settled: who('settled'),
  };
  const promises = new Promises(journal.reporter('liveness', Promises.rule));
  return { checkers, hearing, configurations, log, promises, linearizability };
}
