import {
  DEFAULT_RAFT_CONFIG,
  type RaftConfig,
  type RpcRequest,
  type RpcResponse,
  type ServerId,
} from '@discovery-raft/raft-core';
import type { Incarnation, SimNode } from '../node/sim-node.js';
import type { Checker, Report } from './checker.js';
import { LONGEST_RELOAD } from '../scenario/scenario.js';
import { isQuorum } from './quorum.js';

/** What a leader has heard, by its own clock. */
interface Leadership {
  readonly process: Incarnation;
  readonly heardAt: Map<ServerId, number>;
  ranAt: number;
  /** When to look again. */
  lookAt: number;
}

/**
 * With check-quorum a leader that no quorum answers steps down: a lease after the last answer, and the respite that it
 * gives when it was late itself (RAFT.md, sections 2 and 4, rule 5). Time in which the process did not run does not count.
 */
export class LeaderInTouch implements Checker {
  static readonly rule = 'leader in touch';
  readonly #on: boolean;
  readonly #limitMs: number;
  readonly #gapMs: number;
  readonly #leaderships = new Map<SimNode, Leadership>();
  readonly #report: Report;

  constructor(config: Partial<RaftConfig>, report: Report) {
    const { checkQuorum, leaderLeaseTimeoutMs, heartbeatTimeoutMs } = { ...DEFAULT_RAFT_CONFIG, ...config };
    this.#on = checkQuorum;
    this.#limitMs = leaderLeaseTimeoutMs + heartbeatTimeoutMs * LONGEST_RELOAD;
    this.#gapMs = heartbeatTimeoutMs / 2;
    this.#report = report;
  }

  roleChanged(node: SimNode): void {
    const process = node.process!;
    this.#leaderships.delete(node);
    if (!this.#on || process.role !== 'leader') return;
    const now = process.clock.now();
    this.#leaderships.set(node, { process, heardAt: new Map(), ranAt: now, lookAt: now + this.#limitMs });
  }

  configurationTaken(node: SimNode): void {
    const leadership = this.#leaderships.get(node);
    if (leadership === undefined || leadership.process !== node.process) return;
    // Who counts now gets time to answer.
    leadership.lookAt = leadership.process.clock.now() + this.#limitMs;
  }

  arriving(node: SimNode, from: ServerId, message: RpcRequest | RpcResponse): void {
    if (message.kind !== 'appendEntriesResponse' && message.kind !== 'installSnapshotResponse') return;
    this.#leaderships.get(node)?.heardAt.set(from, node.process!.clock.now());
  }

  settled(node: SimNode): void {
    const leadership = this.#leaderships.get(node);
    if (leadership === undefined) return;
    const { process, heardAt } = leadership;
    const { raft } = node;
    if (node.process !== process || raft?.state !== 'leader') {
      this.#leaderships.delete(node);
      return;
    }
    const now = process.clock.now();
    if (now - leadership.ranAt > this.#gapMs) leadership.lookAt = now + this.#limitMs;
    leadership.ranAt = now;
    if (now < leadership.lookAt) return;
    leadership.lookAt = now + this.#gapMs / 5;
    const heard = new Set<ServerId>([node.id]);
    for (const [id, at] of heardAt) if (now - at < this.#limitMs) heard.add(id);
    if (isQuorum(raft.getConfiguration().configuration, heard)) return;
    this.#report(
      `${node.id} leads term ${raft.term}, and heard only of ${[...heard].join(' ')} in ${this.#limitMs} ms`,
    );
  }
}
