import type { AppendEntriesRequest, InstallSnapshotRequest, Server } from '@discovery-raft/raft-core';
import { invalid } from '../errors.js';
import { CoreEntryType } from './core-entry-type.js';
import type { RaftMessage } from './message-type.js';

/** Bytes of a SHA-256, which is all the data that a tombstone has. */
const TOMBSTONE_BYTES = 32;

/**
 * Refuses what no correct Raft node sends, whatever its state: Raft itself need then not doubt the shape of a message,
 * only its truth. Integers and sizes were checked when they were read.
 *
 * @throws EnvelopeError ENVELOPE_INVALID_VALUE
 */
export function validateRaftMessage(message: RaftMessage): void {
  switch (message.kind) {
    case 'appendEntries':
      return validateAppendEntries(message);
    case 'installSnapshot':
      return validateInstallSnapshot(message);
    case 'requestVote':
    case 'requestPreVote':
      requireTerm(message.term);
      return requirePosition('lastLog', message.lastLogIndex, message.lastLogTerm, message.term);
    case 'timeoutNow':
    case 'readIndex':
      return requireTerm(message.term);
    default:
      // Answers say what the peer has, and a new node has nothing: zero is as good as any number.
      return;
  }
}

function validateAppendEntries(request: AppendEntriesRequest): void {
  requireTerm(request.term);
  requirePosition('prevLog', request.prevLogIndex, request.prevLogTerm, request.term);
  let index = request.prevLogIndex;
  let term = Math.max(1, request.prevLogTerm);
  for (const entry of request.entries) {
    if (entry.index !== ++index) invalid('entry.index', 'does not follow the one before', entry.index);
    if (entry.term < term) invalid('entry.term', 'is lower than the one before', entry.term);
    if (entry.term > request.term) invalid('entry.term', 'is above the term of the request', entry.term);
    if (entry.type === CoreEntryType.tombstone && entry.data.length !== TOMBSTONE_BYTES) {
      invalid('entry.data', 'of a tombstone is not a SHA-256', entry.data.length);
    }
    term = entry.term;
  }
  if (index > Number.MAX_SAFE_INTEGER) invalid('entry.index', 'is above 2^53 - 1');
}

function validateInstallSnapshot(request: InstallSnapshotRequest): void {
  requireTerm(request.term);
  if (request.version === 0) invalid('version', 'is missing');
  if (request.lastLogIndex === 0) invalid('lastLogIndex', 'is missing');
  requirePosition('lastLog', request.lastLogIndex, request.lastLogTerm, request.term);
  if (request.configurationIndex > request.lastLogIndex) invalid('configurationIndex', 'is after lastLogIndex');
  requireDistinct(request.configuration.servers);
  requireDistinct(request.configuration.outgoing ?? []);
  const end = request.offset + request.chunk.length;
  if (end > request.size) invalid('chunk', 'reaches past the end of the snapshot', end);
  if (request.done && end !== request.size) invalid('done', 'is set before the end of the snapshot', end);
}

function requireTerm(term: number): void {
  if (term === 0) invalid('term', 'is missing');
}

/** The place of a log entry: index 0 goes with term 0, and no entry is of a later term than the message. */
function requirePosition(name: string, index: number, term: number, messageTerm: number): void {
  if ((index === 0) !== (term === 0)) invalid(`${name}Term`, `does not fit ${name}Index`, term);
  if (term > messageTerm) invalid(`${name}Term`, 'is above the term of the request', term);
}

function requireDistinct(servers: readonly Server[]): void {
  if (new Set(servers.map((server) => server.id)).size !== servers.length) invalid('server.id', 'is named twice');
}
