import { DEFAULT_RAFT_CONFIG, type LogIndex, type RaftConfig } from '@discovery-raft/raft-core';
import { LONGEST_RELOAD } from '../scenario/scenario.js';
import type { Incarnation, SimNode } from '../node/sim-node.js';
import type { Checker, Report } from './checker.js';

/** Since when a leader's own log has not moved on its disk, by its clock. */
interface Standstill {
  readonly process: Incarnation;
  readonly at: LogIndex;
  readonly sinceMs: number;
  ranAt: number;
}

/**
 * A leader proves progress, not just breath (RAFT.md, section 4, rule 5): one whose own disk does not move, although
 * there is something to write, hands over or steps down in time, unless nobody else is there. What was usual for its disk
 * counts, and so does the time of a transfer that fails.
 */
export class LeaderProgress implements Checker {
  static readonly rule = 'leader makes progress';
  readonly #limitMs: number;
  readonly #gapMs: number;
  readonly #standstills = new Map<SimNode, Standstill>();
  readonly #report: Report;

  constructor(config: Partial<RaftConfig>, report: Report) {
    const { leaderLeaseTimeoutMs, heartbeatTimeoutMs, electionTimeoutMs }: RaftConfig = {
      ...DEFAULT_RAFT_CONFIG,
      ...config,
    };
    const patience = Math.max(leaderLeaseTimeoutMs + 4 * heartbeatTimeoutMs, 8 * electionTimeoutMs);
    this.#limitMs = (patience + 2 * electionTimeoutMs + heartbeatTimeoutMs) * LONGEST_RELOAD;
    this.#gapMs = heartbeatTimeoutMs * 0.25;
    this.#report = report;
  }

  settled(node: SimNode): void {
    const { running } = node;
    if (running?.raft.state !== 'leader') {
      if (this.#standstills.size > 0) this.#standstills.delete(node);
      return;
    }
    const { process, raft } = running;
    const at = node.disk.platter.lastIndex;
    if (raft.lastIndex <= at) {
      this.#standstills.delete(node);
      return;
    }
    const now = process.clock.now();
    const before = this.#standstills.get(node);
    if (before === undefined || before.process !== process || before.at !== at || now - before.ranAt > this.#gapMs) {
      this.#standstills.set(node, { process, at, sinceMs: now, ranAt: now });
      return;
    }
    before.ranAt = now;
    if (now - before.sinceMs < this.#limitMs || raft.getConfiguration().configuration.servers.length < 2) return;
    this.#report(`${node.id} leads on, and its disk stands at ${at} of ${raft.lastIndex} for ${this.#limitMs} ms`);
  }
}
