import type { RaftConfig, RpcRequest, RpcResponse, ServerId, Term } from '@discovery-raft/raft-core';
import type { Sent } from '../network/sim-network.js';
import type { Incarnation, SimNode } from '../node/sim-node.js';
import type { Checker, Report } from './checker.js';

interface Contact {
  readonly term: Term;
  readonly atMs: number;
}

/**
 * Who hears a leader votes for nobody else, unless the leader wants it (Raft thesis, sections 4.2.3 and 9.6; RAFT.md,
 * section 4, rule 9): for a heartbeat timeout after a message of its leader a server grants neither a vote nor a pre-vote,
 * and a leader with check-quorum does not while it leads. With leases, neither does one that has just started, since it
 * does not remember whom it heard.
 */
export class ShieldedLeader implements Checker {
  static readonly rule = 'shielded leader';
  readonly #contacts = new WeakMap<Incarnation, Contact>();
  /** Servers that must refuse a request. */
  readonly #refusing = new WeakMap<RpcRequest, Map<ServerId, boolean>>();
  readonly #checkQuorum: boolean;
  readonly #leases: boolean;
  readonly #report: Report;

  constructor({ checkQuorum = true, readMode }: Partial<RaftConfig>, report: Report) {
    this.#checkQuorum = checkQuorum;
    this.#leases = readMode === 'lease';
    this.#report = report;
  }

  arriving(node: SimNode, from: ServerId, message: RpcRequest | RpcResponse): void {
    if (message.kind !== 'requestVote' && message.kind !== 'requestPreVote') return;
    if (message.kind === 'requestVote' && message.leadershipTransfer) return;
    const servers = this.#refusing.get(message) ?? new Map<ServerId, boolean>();
    this.#refusing.set(message, servers);
    // It may come twice.
    servers.set(node.id, this.#mustRefuse(node, from) && servers.get(node.id) !== false);
  }

  arrived(node: SimNode, from: ServerId, request: RpcRequest): void {
    if (request.kind !== 'appendEntries' && request.kind !== 'installSnapshot') return;
    const { running } = node;
    if (running === null) return;
    const { process, raft } = running;
    if (raft.term !== request.term || raft.leader?.id !== from) return;
    this.#contacts.set(process, { term: request.term, atMs: process.clock.now() });
  }

  sent(sent: Sent): void {
    if (sent.kind !== 'response') return;
    const { message, from, to, request } = sent;
    if (message.kind !== 'requestVoteResponse' && message.kind !== 'requestPreVoteResponse') return;
    if (!message.granted || this.#refusing.get(request)?.get(from) !== true) return;
    this.#report(`${from} grants ${to} a ${request.kind}, and hears the leader of its term or may have heard one`);
  }

  #mustRefuse({ running }: SimNode, candidate: ServerId): boolean {
    if (running === null) return false;
    const { process, raft } = running;
    if (raft.state === 'leader') return this.#checkQuorum;
    const now = process.clock.now();
    if (this.#leases && now < process.startedAt + process.heartbeatTimeoutMs - 1) return true;
    const contact = this.#contacts.get(process);
    if (contact === undefined || raft.leader === null || raft.leader.id === candidate) return false;
    return contact.term === raft.term && now < contact.atMs + process.heartbeatTimeoutMs - 1;
  }
}
