import type { ByteChannel } from '@discovery-raft/psp-link';
import { ClientError } from '../errors.js';

/** Where a discovery node is reached over PSP. */
export interface NodeAddress {
  /** Name or IP address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /**
   * Fingerprint of its RSA identity, upper-case hex of 32 bytes. With it, a connection to anybody else fails; without it
   * the node is anybody, which harms a pull little (the directory is verified) and a publish as little as a pull.
   */
  readonly fingerprint?: string;
}

/** A way to a node that stands. */
export interface NodeConnection {
  /** A stream of the discovery namespace. */
  readonly channel: ByteChannel;
  /** Closes the stream and what is below it. */
  close(): void;
}

/** What a connector gets beside the address. */
export interface ConnectOptions {
  /** Fires when the connection is not wanted any more, before or after it stands. */
  readonly signal: AbortSignal;
}

/** Makes connections: over TLS in the real world, in process in tests. @throws anything; it is the node's answer */
export type ConnectNode = (node: NodeAddress, options: ConnectOptions) => Promise<NodeConnection>;

/** `host:port` or `[v6]:port`. */
export function formatAddress({ host, port }: NodeAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Runs `work` on a connection that is closed afterwards, and at once when the signal fires. */
export async function withConnection<T>(
  connect: ConnectNode,
  node: NodeAddress,
  signal: AbortSignal,
  work: (connection: NodeConnection) => Promise<T>,
): Promise<T> {
  const connection = await connect(node, { signal });
  const close = (): void => connection.close();
  signal.addEventListener('abort', close);
  try {
    if (signal.aborted) throw new ClientError('CLIENT_ABORTED', 'the connection is not wanted any more');
    return await work(connection);
  } finally {
    signal.removeEventListener('abort', close);
    close();
  }
}
