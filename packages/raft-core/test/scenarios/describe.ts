/** How messages, entries and writes read in a recorded script. Entries stand as term/index. */
import type { LogWrite } from '../../src/core/effects.js';
import type { Observation } from '../../src/core/observations.js';
import { decodeConfiguration } from '../../src/core/configuration.js';
import {
  EntryType,
  type Configuration,
  type LogEntry,
  type RpcRequest,
  type RpcResponse,
  type Server,
  type ServerId,
} from '../../src/index.js';

export function describeEntry(entry: LogEntry): string {
  return `${entry.term}/${entry.index} ${describeContent(entry)}`;
}

function describeContent(entry: LogEntry): string {
  switch (entry.type) {
    case EntryType.noop:
      return 'noop';
    case EntryType.barrier:
      return 'barrier';
    case EntryType.configuration:
      return `configuration ${describeConfiguration(decodeConfiguration(entry.data))}`;
    case EntryType.tombstone:
      return 'tombstone';
    case EntryType.command:
      return JSON.stringify(Buffer.from(entry.data).toString());
  }
}

export function describeEntries(entries: readonly LogEntry[]): string {
  return `[${entries.map(describeEntry).join(', ')}]`;
}

export function describeConfiguration(configuration: Configuration): string {
  const { servers, outgoing } = configuration;
  return outgoing === undefined
    ? describeServers(servers)
    : `${describeServers(servers)} <- ${describeServers(outgoing)}`;
}

function describeServers(servers: readonly Server[]): string {
  return `{${servers.map(({ id, suffrage }) => (suffrage === 'voter' ? id : `${id} ${suffrage}`)).join(', ')}}`;
}

/** One request, without who sends it to whom. */
export function describeRequest(request: RpcRequest): string {
  switch (request.kind) {
    case 'appendEntries': {
      const prev = `prev ${request.prevLogTerm}/${request.prevLogIndex}`;
      const entries = request.entries.length > 0 ? ` entries ${describeEntries(request.entries)}` : '';
      return `AppendEntries term ${request.term} ${prev}${entries} commit ${request.leaderCommitIndex}`;
    }
    case 'requestVote': {
      const asked = request.leadershipTransfer ? ', asked by the leader' : '';
      return `RequestVote term ${request.term} last ${request.lastLogTerm}/${request.lastLogIndex}${asked}`;
    }
    case 'requestPreVote':
      return `RequestPreVote term ${request.term} last ${request.lastLogTerm}/${request.lastLogIndex}`;
    case 'installSnapshot':
      return `InstallSnapshot term ${request.term} snapshot ${request.lastLogTerm}/${request.lastLogIndex}`;
    case 'timeoutNow':
      return `TimeoutNow term ${request.term}`;
    case 'readIndex':
      return `ReadIndex term ${request.term}`;
  }
}

/** One response, without who sends it to whom. */
export function describeResponse(response: RpcResponse): string {
  switch (response.kind) {
    case 'appendEntriesResponse': {
      if (response.success) return `AppendEntriesResponse term ${response.term} match ${response.matchIndex}`;
      const conflict = `conflict ${response.conflictTerm}/${response.conflictIndex}`;
      return `AppendEntriesResponse term ${response.term} rejected, ${conflict}, last ${response.lastLog}`;
    }
    case 'requestVoteResponse':
      return `RequestVoteResponse term ${response.term} ${response.granted ? 'granted' : 'denied'}`;
    case 'requestPreVoteResponse':
      return `RequestPreVoteResponse term ${response.term} ${response.granted ? 'granted' : 'denied'}`;
    case 'installSnapshotResponse':
      return `InstallSnapshotResponse term ${response.term} ${response.success ? 'stored' : 'refused'}`;
    case 'timeoutNowResponse':
      return 'TimeoutNowResponse';
    case 'readIndexResponse':
      return `ReadIndexResponse term ${response.term} index ${response.index}`;
  }
}

export function describeWrite(write: LogWrite): string {
  switch (write.op) {
    case 'append':
      return describeEntries(write.entries);
    case 'truncate':
      return `cut off from ${write.from}`;
    case 'reset':
      return `empty the log, go on at ${write.nextIndex}`;
    case 'compact':
      return `compact through ${write.through}`;
    case 'redact':
      return `redact ${write.tombstones.map(({ index }) => index).join(', ')}`;
  }
}

/** What an observer of node `id` hears; undefined for what a script shows otherwise. */
export function describeObservation(id: ServerId, { event, payload }: Observation): string | undefined {
  switch (event) {
    case 'stateChange':
      return `${payload.from} -> ${payload.to}, term ${payload.term}`;
    case 'leaderChange':
      if (payload.leaderId === id) return undefined;
      return payload.leaderId === null ? 'knows no leader' : `follows ${payload.leaderId} in term ${payload.term}`;
    case 'heartbeatFailed':
      return `does not hear from ${payload.peerId}`;
    case 'heartbeatResumed':
      return `hears from ${payload.peerId} again`;
    case 'configurationChange':
      return `configuration ${describeConfiguration(payload.configuration)} of entry ${payload.index}`;
    case 'snapshotTaken':
      return `took snapshot ${payload.meta.term}/${payload.meta.index}`;
    case 'snapshotInstalled':
      return `installed snapshot ${payload.meta.term}/${payload.meta.index}`;
    default:
      return undefined;
  }
}
