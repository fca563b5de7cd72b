import type { LinkError } from '../errors.js';

/** Takes what a wire brings. */
export interface WireListener {
  /** Bytes that arrived, good until it returns: whoever keeps them copies them. Not called after `closed`. */
  data(chunk: Uint8Array): void;
  /** The last call, once: null when the peer has ended the connection as it should. */
  closed(error: LinkError | null): void;
}

/**
 * A TLS connection whose handshake is over, as the layers above see it. The port between them and the sockets: tests put
 * bytes of their own in its place.
 */
export interface SecureWire {
  /** The peer's IP address, for limits and logs. */
  readonly address: string;
  /** DER of what the peer showed in TLS; empty when it showed nothing, as initiators do. */
  readonly peerCertificate: Uint8Array;
  /** Keying material of RFC 5705. */
  exportKeyingMaterial(byteCount: number, label: string, context: string): Uint8Array;
  /**
   * Sends bytes, which must not be written to until then. Calls back when they need no more memory here, never
   * synchronously, and not at all once the wire has closed.
   */
  write(bytes: Uint8Array, taken: () => void): void;
  /** Brings nothing until `resume`: the peer is held back by TCP. */
  pause(): void;
  resume(): void;
  /** Ends in order: what was written is still sent. */
  end(): void;
  /** Ends now. `closed` follows. */
  destroy(): void;
  /** Names who is told from now on, in place of an earlier one. What came before anybody was there waits. */
  attach(listener: WireListener): void;
}
