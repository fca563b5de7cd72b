import type { RpcRequest, RpcResponse } from '@discovery-raft/raft-core';
import type { DiskWrite } from './disk/platter.js';

/** What tells a message from others of its kind. */
export function numbersOf(message: RpcRequest | RpcResponse): readonly number[] {
  switch (message.kind) {
    case 'appendEntries':
      return [
        message.term,
        message.prevLogIndex,
        message.prevLogTerm,
        message.entries.length,
        message.leaderCommitIndex,
      ];
    case 'appendEntriesResponse':
      return [message.term, message.success ? 1 : 0, message.matchIndex, message.lastLog, message.conflictIndex];
    case 'requestVote':
    case 'requestPreVote':
      return [message.term, message.lastLogIndex, message.lastLogTerm];
    case 'requestVoteResponse':
    case 'requestPreVoteResponse':
      return [message.term, message.granted ? 1 : 0];
    case 'installSnapshot':
      return [message.term, message.lastLogIndex, message.lastLogTerm, message.offset, message.chunk.length];
    case 'installSnapshotResponse':
      return [message.term, message.success ? 1 : 0, message.nextOffset];
    case 'timeoutNow':
    case 'readIndex':
      return [message.term];
    case 'readIndexResponse':
      return [message.term, message.index];
    case 'timeoutNowResponse':
      return [];
  }
}

/** A message as a line of the trace. */
export function describeMessage(message: RpcRequest | RpcResponse): string {
  switch (message.kind) {
    case 'appendEntries': {
      const { term, prevLogIndex, prevLogTerm, entries, leaderCommitIndex } = message;
      const what = entries.length === 0 ? 'nothing' : entries.map((e) => `${e.index}.${e.term}`).join(' ');
      return `term ${term}, after ${prevLogIndex}.${prevLogTerm}: ${what}, commit ${leaderCommitIndex}`;
    }
    case 'appendEntriesResponse': {
      const { term, success, matchIndex, lastLog, conflictIndex, conflictTerm } = message;
      const what = success ? `match ${matchIndex}` : `conflict ${conflictIndex}.${conflictTerm}`;
      return `term ${term}, ${what}, last ${lastLog}`;
    }
    case 'requestVote':
    case 'requestPreVote':
      return `term ${message.term}, last ${message.lastLogIndex}.${message.lastLogTerm}`;
    case 'requestVoteResponse':
    case 'requestPreVoteResponse':
      return `term ${message.term}, ${message.granted ? 'granted' : 'refused'}`;
    case 'installSnapshot': {
      const { term, lastLogIndex, lastLogTerm, offset, size, chunk } = message;
      return `term ${term}, ${lastLogIndex}.${lastLogTerm}, ${offset}+${chunk.length} of ${size}`;
    }
    case 'installSnapshotResponse':
      return `term ${message.term}, ${message.success ? 'ok' : 'refused'}, next ${message.nextOffset}`;
    case 'timeoutNow':
    case 'readIndex':
      return `term ${message.term}`;
    case 'readIndexResponse':
      return `term ${message.term}, index ${message.index}`;
    case 'timeoutNowResponse':
      return '';
  }
}

/** A write as a line of the trace. */
export function describeWrite(write: DiskWrite): string {
  switch (write.kind) {
    case 'hardState':
      return `term ${write.state.term}, vote ${write.state.votedFor ?? '-'}`;
    case 'append':
      return write.entries.map(({ index, term, type }) => `${index}.${term}${type === 16 ? 't' : ''}`).join(' ');
    case 'truncate':
      return `from ${write.from}`;
    case 'compact':
      return `through ${write.through}`;
    case 'reset':
      return `next ${write.nextIndex}`;
    case 'redact':
      return write.tombstones.map(({ index }) => index).join(' ');
    case 'snapshot':
      return `${write.meta.index}.${write.meta.term}, ${write.meta.size} bytes`;
  }
}
