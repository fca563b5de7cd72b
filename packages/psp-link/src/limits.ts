import { LinkError } from './errors.js';

/** What a peer may cost. Every field is a whole number above 0. */
export interface LinkLimits {
  /** TCP and TLS together, from the first packet, in milliseconds. */
  readonly tlsTimeoutMs: number;
  /** Each wait for the next cell of the handshake. */
  readonly stepTimeoutMs: number;
  /** The whole handshake, TLS among it. */
  readonly handshakeTimeoutMs: number;
  /** From streamCreate to its answer. */
  readonly streamTimeoutMs: number;
  /** After so long without a byte sent, a padding cell goes out. PSP wants one at least every 30,000. */
  readonly paddingAfterMs: number;
  /** Without a byte received for so long, the peer is gone. */
  readonly idleTimeoutMs: number;
  /** An anonymous peer that has sent nothing but padding for so long makes room for others. */
  readonly anonymousIdleTimeoutMs: number;
  /** From the first byte of a cell to its last. */
  readonly cellTimeoutMs: number;
  /** A peer that takes nothing of what is written for so long is gone. */
  readonly writeTimeoutMs: number;
  /** A stream that holds the whole connection up for so long, because nobody reads it here, is ended. */
  readonly unreadTimeoutMs: number;
  /** A connection that is being closed gets so long to take what was handed to it. */
  readonly closeTimeoutMs: number;
  /** Connections of a listener, those in their handshake among them. */
  readonly maxConnections: number;
  /** Connections of one IPv4 address, or of one IPv6 /64 prefix. */
  readonly maxConnectionsPerAddress: number;
  /** Connections of a listener that are in their handshake. */
  readonly maxHandshakes: number;
  /** Longest payload of a cell of the handshake, in bytes, up to 65,535. */
  readonly maxHandshakeCellBytes: number;
  /** Streams of a connection, of both sides together. */
  readonly maxStreams: number;
  /** Bytes that wait to be sent on one stream. A message larger than this cannot be sent at all. */
  readonly maxQueuedStreamBytes: number;
  /** Bytes that wait to be sent on all streams of a connection. */
  readonly maxQueuedConnectionBytes: number;
  /** Bytes of a stream that were received and that nobody has taken; at more, nothing more of the connection is read. */
  readonly maxUnreadStreamBytes: number;
  /** Bytes handed to TLS at a time. What is in there can no longer be overtaken. */
  readonly maxInFlightBytes: number;
  /** Least length of an RSA modulus in a peer's certificate, in bits. */
  readonly minRsaBits: number;
}

/** The limits of a node in a public network. */
export const DEFAULT_LINK_LIMITS: LinkLimits = {
  tlsTimeoutMs: 5_000,
  stepTimeoutMs: 5_000,
  handshakeTimeoutMs: 10_000,
  streamTimeoutMs: 5_000,
  paddingAfterMs: 25_000,
  idleTimeoutMs: 90_000,
  anonymousIdleTimeoutMs: 300_000,
  cellTimeoutMs: 60_000,
  writeTimeoutMs: 30_000,
  unreadTimeoutMs: 30_000,
  closeTimeoutMs: 1_000,
  maxConnections: 4_096,
  maxConnectionsPerAddress: 64,
  maxHandshakes: 256,
  maxHandshakeCellBytes: 16_384,
  maxStreams: 64,
  maxQueuedStreamBytes: 16 * 1024 * 1024,
  maxQueuedConnectionBytes: 64 * 1024 * 1024,
  maxUnreadStreamBytes: 1024 * 1024,
  maxInFlightBytes: 128 * 1024,
  minRsaBits: 2_048,
};

/** The default limits with some of them changed. @throws LinkError LINK_INVALID_OPTION, `details.option` names which */
export function linkLimits(changes: Partial<LinkLimits> = {}): LinkLimits {
  const limits = { ...DEFAULT_LINK_LIMITS, ...changes };
  for (const [option, found] of Object.entries(limits)) {
    if (!Number.isSafeInteger(found) || found <= 0 || (option === 'maxHandshakeCellBytes' && found > 65_535)) {
      throw new LinkError('LINK_INVALID_OPTION', `${option} is out of its range`, { option, found });
    }
  }
  return limits;
}
