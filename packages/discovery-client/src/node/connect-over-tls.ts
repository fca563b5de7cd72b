import { connectPsp, StreamNamespace } from '@discovery-raft/psp-link';
import type { Clock, Logger } from '@discovery-raft/raft-core';
import type { ConnectNode } from './node-address.js';

/** What {@link connectOverTls} takes. */
export interface ConnectOverTlsOptions {
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** For TCP, TLS and the handshake. Default: that of psp-link. */
  readonly timeoutMs?: number;
}

/** The connector of the real world: PSP over TLS, anonymous, to the node with the expected fingerprint if there is one. */
export function connectOverTls(options: ConnectOverTlsOptions = {}): ConnectNode {
  return async ({ host, port, fingerprint }, { signal }) => {
    const connection = await connectPsp({
      host,
      port,
      signal,
      ...(fingerprint === undefined ? {} : { expectedFingerprint: fingerprint }),
      ...options,
    });
    try {
      const channel = await connection.openStream(StreamNamespace.discovery);
      return { channel, close: () => connection.close() };
    } catch (error) {
      connection.close();
      throw error;
    }
  };
}
