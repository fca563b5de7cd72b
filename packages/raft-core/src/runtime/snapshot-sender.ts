import { crc32 } from 'node:zlib';
import { RaftError } from '../core/errors.js';
import type { InstallSnapshotRequest, InstallSnapshotResponse, RpcHeader } from '../core/rpc.js';
import type { LogIndex, Server, Term } from '../core/types.js';
import type { SnapshotSource, SnapshotStore } from '../ports/snapshot-store.js';

/** How often a follower may ask to begin anew before the transfer counts as failed. */
const MAX_RESTARTS = 3;

/** One transfer's surroundings. */
export interface SnapshotTransfer {
  readonly store: SnapshotStore;
  readonly header: RpcHeader;
  readonly peer: Server;
  readonly term: Term;
  readonly chunkBytes: number;
  send(peer: Server, request: InstallSnapshotRequest): Promise<InstallSnapshotResponse>;
  /** Told of every answer; false ends the transfer. */
  answered(response: InstallSnapshotResponse): boolean;
}

/**
 * Sends the newest snapshot to a follower, chunk by chunk, going on where the follower says. Runs beside consensus.
 *
 * @returns the index that the follower then has, or null when the transfer was called off
 * @throws RaftError when there is no snapshot, it cannot be read, or the follower cannot be reached
 */
export async function sendSnapshot(transfer: SnapshotTransfer): Promise<LogIndex | null> {
  const newest = (await transfer.store.list())[0];
  if (newest === undefined)
    throw new RaftError('RAFT_SNAPSHOT_FAILED', 'a follower needs a snapshot, and there is none');
  const source = await transfer.store.open(newest.id);
  try {
    return await sendChunks(transfer, source);
  } finally {
    await source.close();
  }
}

async function sendChunks(transfer: SnapshotTransfer, source: SnapshotSource): Promise<LogIndex | null> {
  const { size, index } = source.meta;
  let offset = 0;
  let restarts = 0;
  for (;;) {
    const chunk = await source.read(offset, transfer.chunkBytes);
    const done = offset + chunk.length >= size;
    const response = await transfer.send(transfer.peer, chunkRequest(transfer, source, offset, chunk, done));
    if (!transfer.answered(response)) return null;
    if (response.success && response.nextOffset >= size && (done || offset === 0)) return index;
    if (!response.success && ++restarts > MAX_RESTARTS) {
      throw new RaftError('RAFT_SNAPSHOT_FAILED', `${transfer.peer.id} refused the snapshot ${restarts} times`);
    }
    offset = Math.min(response.nextOffset, size);
  }
}

function chunkRequest(
  transfer: SnapshotTransfer,
  source: SnapshotSource,
  offset: number,
  chunk: Uint8Array,
  done: boolean,
): InstallSnapshotRequest {
  const { meta } = source;
  return {
    kind: 'installSnapshot',
    header: transfer.header,
    version: meta.version,
    term: transfer.term,
    lastLogIndex: meta.index,
    lastLogTerm: meta.term,
    configuration: meta.configuration,
    configurationIndex: meta.configurationIndex,
    size: meta.size,
    offset,
    chunk,
    crc: crc32(chunk),
    done,
  };
}
