import type { Mutant } from './mutant.js';

/** Bugs that break one rule each; the simulator has to report every one of them. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: 'side-door-heartbeat',
    rule: '1: an append without entries skips the consistency check',
    edits: [
      {
        file: 'core/append',
        find: 'known !== undefined && known !== request.prevLogTerm',
        replace: 'request.entries.length > 0 && known !== undefined && known !== request.prevLogTerm',
      },
    ],
  },
  {
    name: 'stale-append-completion',
    rule: '2: a write that completes late marks newer entries stable',
    edits: [{ file: 'core/log', find: 'epoch !== this.#epoch || ', replace: '' }],
  },
  {
    name: 'reads-outlive-leadership',
    rule: '2: reads that wait are forgotten when leadership ends',
    edits: [{ file: 'core/leadership', find: 'if (ids.length > 0)', replace: 'if (ids.length > 1e9)' }],
  },
  {
    name: 'follower-commits-own-last-index',
    rule: '3: a follower commits what this message does not cover',
    edits: [
      {
        file: 'core/append',
        find: 'Math.min(request.leaderCommitIndex, matchIndex)',
        replace: 'Math.min(request.leaderCommitIndex, log.lastIndex)',
      },
    ],
  },
  {
    name: 'commit-of-an-old-term',
    rule: '3: entries of earlier terms are committed by counting',
    edits: [{ file: 'core/leadership', find: 'index < role.firstIndex || ', replace: '' }],
  },
  {
    name: 'snapshot-without-log-discard',
    rule: '3: a snapshot that does not fit the log leaves it on the disk',
    edits: [
      {
        file: 'core/snapshots',
        find: "node.write({ op: 'reset', nextIndex: meta.index + 1 })",
        replace: "node.write({ op: 'compact', through: meta.index })",
      },
    ],
  },
  {
    name: 'snapshot-keeps-another-log',
    rule: '3: a snapshot whose term is not that of the log at its index leaves the log',
    edits: [
      { file: 'core/snapshots', find: 'log.termAt(meta.index) === meta.term', replace: 'log.lastIndex >= meta.index' },
    ],
  },
  {
    name: 'log-not-compared-in-votes',
    rule: '3: a voter does not compare the ends of the logs',
    edits: [
      {
        file: 'core/log',
        find: 'lastTerm === this.lastTerm && lastIndex >= this.lastIndex',
        replace: 'lastTerm === this.lastTerm',
      },
    ],
  },
  {
    name: 'two-votes-a-term',
    rule: '3: a voter votes again in a term',
    edits: [
      {
        file: 'core/election',
        find: 'node.votedFor === null || node.votedFor === candidateId',
        replace: 'node.votedFor !== node.id',
      },
    ],
  },
  {
    name: 'leader-of-an-old-term-obeyed',
    rule: '3: an append of an earlier term is taken',
    edits: [{ file: 'core/append', find: 'request.term < node.term', replace: 'request.term < 0' }],
  },
  {
    name: 'matching-entries-truncated',
    rule: '3: an append that comes late takes away what it does not conflict with',
    edits: [
      {
        file: 'core/append',
        find: 'entry.index > node.log.lastIndex || node.log.termAt(entry.index) !== entry.term',
        replace: 'entry.index > node.commitIndex',
      },
    ],
  },
  {
    name: 'vote-persisted-late',
    rule: '4: a vote is answered before it is stored',
    edits: [
      {
        file: 'core/election',
        find: "node.reply(requestId, { kind: 'requestVoteResponse', header: node.header, term: node.term, granted })",
        replace:
          "node.emit({ type: 'reply', requestId, response: { kind: 'requestVoteResponse', header: node.header, term: node.term, granted } })",
      },
    ],
  },
  {
    name: 'campaign-before-its-vote-is-stored',
    rule: '4: a candidate asks for votes before its own is stored',
    edits: [{ file: 'core/election', find: 'node.emitDurable(send)', replace: 'node.emit(send)' }],
  },
  {
    name: 'append-acknowledged-early',
    rule: '4: a follower acknowledges entries before they are stored',
    edits: [{ file: 'core/append', find: 'Math.min(matchIndex, log.lastIndex)', replace: '0' }],
  },
  {
    name: 'leader-counts-itself-early',
    rule: '4: a leader counts its own copy before it is stored',
    edits: [{ file: 'core/leadership', find: 'return node.log.stableIndex', replace: 'return node.log.lastIndex' }],
  },
  {
    name: 'failed-write-taken-for-done',
    rule: '4: a node goes on after a failed write',
    edits: [
      {
        file: 'runtime/storage-lane',
        find: 'this.#resume(() => this.#fail(error))',
        replace: 'this.#resume(() => this.#done(writes))',
      },
    ],
  },
  {
    name: 'term-and-vote-in-memory-only',
    rule: '10: term and vote are not stored',
    edits: [{ file: 'runtime/storage-lane', find: 'this.#stableStore.save(hardState)', replace: 'undefined' }],
  },
  {
    name: 'heartbeats-of-a-stuck-leader',
    rule: '5: a leader whose disk stands still goes on leading',
    edits: [{ file: 'core/core', find: 'if (!leadsOnThoughStuck(node, role))', replace: 'if (node.now < 0)' }],
  },
  {
    name: 'leader-without-a-quorum',
    rule: '5: a leader that no quorum answers goes on leading',
    edits: [{ file: 'core/core', find: 'node.now >= role.checkQuorumAt && ', replace: 'node.now < 0 && ' }],
  },
  {
    name: 'stale-read-acknowledgement',
    rule: '6: an answer to an older message confirms a read',
    edits: [
      {
        file: 'core/replication',
        find: 'if (context.round > p.ackedRound)',
        replace: 'if (role.round > p.ackedRound)',
      },
      { file: 'core/replication', find: 'p.ackedRound = context.round', replace: 'p.ackedRound = role.round' },
    ],
  },
  {
    name: 'read-before-a-commit-of-its-term',
    rule: '6: a new leader confirms reads before it has committed an entry',
    edits: [{ file: 'core/reads', find: ' || node.commitIndex < role.firstIndex', replace: '' }],
  },
  {
    name: 'lease-from-the-answer',
    rule: '6: a lease runs from when an answer came, and not from when the request was sent',
    edits: [
      {
        file: 'core/replication',
        find: 'p.lastAckSentAt = Math.max(p.lastAckSentAt, context.sentAt)',
        replace: 'p.lastAckSentAt = node.now',
      },
    ],
  },
  {
    name: 'lease-forgotten-by-a-restart',
    rule: '6: who has just started votes although it may have promised a lease',
    edits: [{ file: 'core/election', find: 'if (keepsForgottenPromise(node))', replace: 'if (node.now < 0)' }],
  },
  {
    name: 'lease-in-a-transfer',
    rule: '6: a leader reads by its lease although it has told another one to take over',
    edits: [{ file: 'core/lease', find: 'role.transferBegun || ', replace: '' }],
  },
  {
    name: 'follower-reads-what-it-has',
    rule: '6: a follower answers a read before it has applied what the leader confirmed',
    edits: [
      {
        file: 'core/reads',
        find: 'resolveReads(node, ids, response.index)',
        replace: 'resolveReads(node, ids, node.appliedIndex)',
      },
    ],
  },
  {
    name: 'append-not-bounded',
    rule: '7: an append message holds more bytes than allowed',
    edits: [{ file: 'core/log', find: 'bytes > maxBytes && stop > begin', replace: 'bytes > 1e9 && stop > begin' }],
  },
  {
    name: 'compaction-past-the-snapshot',
    rule: '8: the log is cut off past the snapshot',
    edits: [{ file: 'core/snapshots', find: 'meta.index - node.config.trailingLogs', replace: 'node.commitIndex' }],
  },
  {
    name: 'snapshot-chunk-taken-twice',
    rule: '8: a chunk that is delivered twice is stored twice',
    edits: [
      {
        file: 'runtime/snapshot-receiver',
        find: 'request.offset !== sink.size',
        replace: 'request.offset > sink.size',
      },
    ],
  },
  {
    name: 'change-before-a-commit-of-its-term',
    rule: '9: a new leader changes the membership before it knows what became of the last change',
    edits: [{ file: 'core/membership', find: 'node.commitIndex < role.firstIndex || ', replace: '' }],
  },
  {
    name: 'change-before-the-last-is-committed',
    rule: '9: a change begins while another one is not committed',
    edits: [{ file: 'core/membership', find: ' || latest.index > node.commitIndex', replace: '' }],
  },
  {
    name: 'configuration-not-rolled-back',
    rule: '9: a configuration counts although its entry was truncated',
    edits: [{ file: 'core/append', find: 'node.configurations.truncateFrom(from)', replace: 'from < 0' }],
  },
  {
    name: 'learner-counted-as-voter',
    rule: '9: who has no vote is counted in quorums',
    edits: [{ file: 'core/configuration', find: "server.suffrage === 'voter'", replace: "server.id !== ''" }],
  },
  {
    name: 'joint-quorum-of-the-new-half',
    rule: '9: in a joint configuration only the new half is asked',
    edits: [{ file: 'core/configuration', find: 'if (configuration.outgoing)', replace: "if (configuration === '')" }],
  },
  {
    name: 'replaced-without-a-joint-configuration',
    rule: '9: many votes change in one step',
    edits: [
      {
        file: 'core/membership-change',
        find: '{ servers: change.servers, outgoing: servers }',
        replace: '{ servers: change.servers }',
      },
    ],
  },
  {
    name: 'vote-acknowledged-before-it-is-given',
    rule: '9: who adds a voter is told so when it is only a learner',
    edits: [
      {
        file: 'core/membership',
        find: 'if (takesMoreSteps(configuration, change))',
        replace: 'if (index < 0)',
      },
    ],
  },
  {
    name: 'change-of-another-configuration',
    rule: '9: a change is made to another configuration than its caller saw',
    edits: [{ file: 'core/membership', find: 'prevIndex !== 0 && ', replace: 'prevIndex < 0 && ' }],
  },
  {
    name: 'removed-leader-leads-on',
    rule: '9: a leader goes on after its own removal is committed',
    edits: [
      { file: 'core/membership', find: '!isVoterIn(latest.configuration, node.id)', replace: 'latest.index < 0' },
    ],
  },
  {
    name: 'snapshot-of-the-newest-configuration',
    rule: '9: a snapshot carries a configuration that is not committed',
    edits: [
      {
        file: 'runtime/driver',
        find: 'this.core.configurationAt(index)',
        replace: 'this.core.configuration',
      },
    ],
  },
  {
    name: 'vote-against-a-leader-that-is-heard',
    rule: '9: who hears a leader votes for a server that does not',
    edits: [
      {
        file: 'core/election',
        find: 'return node.now - node.leaderContactAt < node.config.heartbeatTimeoutMs',
        replace: 'return node.now < 0',
      },
    ],
  },
  {
    name: 'batch-taken-in-part',
    rule: '10: of a batch the first part is taken, and the caller is told that none is',
    edits: [{ file: 'core/propose', find: 'entries.length >= batchEnd', replace: 'batchEnd >= 0' }],
  },
  {
    name: 'results-of-a-batch-in-another-order',
    rule: '10: commands of a batch get the results of others',
    edits: [
      { file: 'runtime/batch-waiter', find: 'this.#results.push(applied)', replace: 'this.#results.unshift(applied)' },
    ],
  },
  {
    name: 'restore-in-the-place-of-an-entry',
    rule: '8: a state that a user restores takes the index of an entry that is committed',
    edits: [
      {
        file: 'runtime/user-restore',
        find: 'Math.max(lastIndex, meta.index) + 1',
        replace: 'Math.max(lastIndex, 0 * meta.index)',
      },
    ],
  },
  {
    name: 'gap-taken-for-covered',
    rule: '8: a state that only this server restored is taken to cover what the leader has before it',
    edits: [{ file: 'core/append', find: 'if (contradictsSnapshot(node, request))', replace: 'if (node.now < 0)' }],
  },
  {
    name: 'recovery-without-the-log',
    rule: '8: the state that a cluster is recovered from lacks what is behind its last snapshot',
    edits: [{ file: 'runtime/recover-cluster', find: 'apply(stateMachine, entry);', replace: 'void entry;' }],
  },
  {
    name: 'quorum-of-half',
    rule: '10: half of an even cluster is a quorum',
    edits: [{ file: 'core/quorum', find: 'Math.floor(n / 2) + 1', replace: 'Math.ceil(n / 2)' }],
  },
  {
    name: 'match-indexes-sorted-as-text',
    rule: '10: 9 is greater than 10',
    edits: [{ file: 'core/quorum', find: 'values.sort((a, b) => b - a)', replace: 'values.sort().reverse()' }],
  },
  {
    name: 'another-entry-acknowledged',
    rule: '10: a command is acknowledged when the next leader commits its own entry at that index',
    edits: [{ file: 'runtime/pending-proposals', find: 'batch.term === term', replace: 'batch.term > 0' }],
  },
  {
    name: 'one-commits-all-resolve',
    rule: '10: of commands proposed together each takes the first one for itself',
    edits: [
      {
        file: 'runtime/pending-proposals',
        find: 'batch.firstIndex + batch.settled <= index',
        replace: 'batch.firstIndex <= index',
      },
    ],
  },
  {
    name: 'holes-in-the-log',
    rule: '11: an append that does not follow the log is taken',
    edits: [{ file: 'core/append', find: 'prev > log.lastIndex', replace: 'prev > log.lastIndex + 1' }],
  },
  {
    name: 'lost-tombstone',
    rule: '11: a leader sends what it has redacted',
    edits: [{ file: 'core/core', find: 'node.log.redact(input.tombstones)', replace: 'void input.tombstones' }],
  },
  {
    name: 'tombstones-forgotten-by-a-restart',
    rule: '11: after a restart a state that lacks redacted entries is shown',
    edits: [{ file: 'runtime/load-state', find: 'supersedingIndex(entry) ?? lastIndex', replace: '0' }],
  },
];
