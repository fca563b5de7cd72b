import type { LogIndex, MonotonicMs, Server } from './types.js';

/** An AppendEntries request with entries that is under way. */
export interface Inflight {
  readonly rpcId: number;
  readonly firstIndex: LogIndex;
  readonly lastIndex: LogIndex;
  readonly bytes: number;
}

/**
 * What a leader knows of one peer.
 *
 * - `probe`: where the logs agree is not known; one request at a time;
 * - `replicate`: it is known; requests are pipelined;
 * - `snapshot`: the peer needs entries that are compacted; a snapshot is on its way.
 */
export class Progress {
  server: Server;
  mode: 'probe' | 'replicate' | 'snapshot' = 'probe';
  /** Last entry known to be equal and stored there. */
  match: LogIndex = 0;
  /** Next entry to send. */
  next: LogIndex;
  /** Whether the store is being read for this peer. */
  reading = false;
  /** The one request under way while probing; 0 for none. */
  probeRpcId = 0;
  inflight: Inflight[] = [];
  inflightBytes = 0;
  /** When the peer last answered. */
  lastContact: MonotonicMs;
  /** What the last answered request without entries took; -1 before the first. */
  rttMs: MonotonicMs = -1;
  /** When the newest request that it answered was sent. */
  lastAckSentAt: MonotonicMs = -Infinity;
  /** Newest read round that it acknowledged. */
  ackedRound = 0;
  nextHeartbeatAt: MonotonicMs;
  /** After a failure: not before this. */
  retryAt: MonotonicMs = 0;
  failures = 0;
  /** The newest request under way whose answer was asked for again. */
  askedAgain = 0;
  /** Highest commit index sent in a request. */
  sentCommit: LogIndex = 0;
  /** The server was removed: until then it is still told that it was. 0 for a member. */
  leavesAt: MonotonicMs = 0;
  /** Whether the failure of contact was told to observers. */
  failed = false;

  constructor(server: Server, next: LogIndex, now: MonotonicMs) {
    this.server = server;
    this.next = next;
    this.lastContact = now;
    this.nextHeartbeatAt = now;
  }

  /** Forgets what is under way and looks again for where the logs agree. */
  becomeProbe(next: LogIndex): void {
    this.mode = 'probe';
    this.next = Math.max(next, this.match + 1);
    this.probeRpcId = 0;
    this.reading = false;
    this.inflight = [];
    this.inflightBytes = 0;
  }

  becomeReplicate(): void {
    this.mode = 'replicate';
    this.probeRpcId = 0;
    this.next = this.match + 1;
  }

  becomeSnapshot(): void {
    this.becomeProbe(this.next);
    this.mode = 'snapshot';
  }

  addInflight(item: Inflight): void {
    this.inflight.push(item);
    this.inflightBytes += item.bytes;
  }

  /** Drops requests under way whose entries are all known to be stored by now. */
  dropInflightThrough(index: LogIndex): void {
    while (this.inflight.length > 0 && this.inflight[0]!.lastIndex <= index) {
      this.inflightBytes -= this.inflight.shift()!.bytes;
    }
  }

  /** Drops a request that was answered or failed. Returns whether it was among those under way. */
  removeInflight(rpcId: number): boolean {
    const at = this.inflight.findIndex((item) => item.rpcId === rpcId);
    if (at < 0) return false;
    this.inflightBytes -= this.inflight[at]!.bytes;
    this.inflight.splice(at, 1);
    return true;
  }
}
