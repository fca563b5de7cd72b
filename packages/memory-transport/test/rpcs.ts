import {
  EntryType,
  PROTOCOL_VERSION,
  type AppendEntriesRequest,
  type AppendEntriesResponse,
  type RequestVoteRequest,
  type RequestVoteResponse,
  type RpcHeader,
  type Server,
} from '@discovery-raft/raft-core';

export function header(id: string): RpcHeader {
  return { protocolVersion: PROTOCOL_VERSION, id, address: `${id}:1` };
}

export function server(id: string): Server {
  return { suffrage: 'voter', id, address: `${id}:1` };
}

/** A heartbeat whose `prevLogIndex` tells it from others. */
export function heartbeat(from: string, mark = 0): AppendEntriesRequest {
  return {
    kind: 'appendEntries',
    header: header(from),
    term: 1,
    prevLogIndex: mark,
    prevLogTerm: 1,
    entries: [],
    leaderCommitIndex: 0,
    redactedThrough: 0,
  };
}

export function append(from: string, bytes: Uint8Array): AppendEntriesRequest {
  const entry = { index: 1, term: 1, type: EntryType.command, data: bytes, extensions: bytes };
  return { ...heartbeat(from), entries: [entry] };
}

export function appended(from: string, matchIndex = 0): AppendEntriesResponse {
  return {
    kind: 'appendEntriesResponse',
    header: header(from),
    term: 1,
    lastLog: matchIndex,
    success: true,
    noRetryBackoff: false,
    matchIndex,
    conflictTerm: 0,
    conflictIndex: 0,
  };
}

export function voteRequest(from: string): RequestVoteRequest {
  return {
    kind: 'requestVote',
    header: header(from),
    term: 2,
    lastLogIndex: 1,
    lastLogTerm: 1,
    leadershipTransfer: false,
  };
}

export function vote(from: string): RequestVoteResponse {
  return { kind: 'requestVoteResponse', header: header(from), term: 2, granted: true };
}

/** The code with which a promise is rejected; 'resolved' when it is not. */
export function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'resolved',
    (error: { code?: string }) => error.code ?? String(error),
  );
}
