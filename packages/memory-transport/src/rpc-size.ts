import { entrySize, type RpcRequest } from '@discovery-raft/raft-core';

/** What a request counts for beside its payload: header, numbers, and the objects that hold them. */
const FIXED_BYTES = 128;

/**
 * Bytes that a request counts for wherever a limit is in bytes: its payload plus a fixed overhead of 128.
 *
 * It is a measure of memory, not the length of any encoding.
 */
export function rpcSize(request: RpcRequest): number {
  switch (request.kind) {
    case 'appendEntries': {
      let bytes = FIXED_BYTES;
      for (const entry of request.entries) bytes += entrySize(entry);
      return bytes;
    }
    case 'installSnapshot':
      return FIXED_BYTES + request.chunk.length;
    default:
      return FIXED_BYTES;
  }
}
