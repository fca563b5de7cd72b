import type { Configuration, LogEntry, RpcRequest, RpcResponse } from '@discovery-raft/raft-core';

function copyEntry(entry: LogEntry): LogEntry {
  // Each entry gets bytes of its own, not a window of a shared buffer: a store that drops one entry frees its memory.
  const data = entry.data.slice();
  return entry.extensions === undefined ? { ...entry, data } : { ...entry, data, extensions: entry.extensions.slice() };
}

function copyConfiguration(configuration: Configuration): Configuration {
  const servers = configuration.servers.map((server) => ({ ...server }));
  if (configuration.outgoing === undefined) return { servers };
  return { servers, outgoing: configuration.outgoing.map((server) => ({ ...server })) };
}

/** A request that shares neither objects nor bytes with the given one. */
export function copyRequest(request: RpcRequest): RpcRequest {
  const header = { ...request.header };
  switch (request.kind) {
    case 'appendEntries':
      return { ...request, header, entries: request.entries.map(copyEntry) };
    case 'installSnapshot':
      return {
        ...request,
        header,
        configuration: copyConfiguration(request.configuration),
        chunk: request.chunk.slice(),
      };
    default:
      return { ...request, header };
  }
}

/** A response that shares no object with the given one; responses hold no bytes. */
export function copyResponse(response: RpcResponse): RpcResponse {
  return { ...response, header: { ...response.header } };
}
