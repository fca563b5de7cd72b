import type { TLSSocket } from 'node:tls';
import { LinkError } from '../errors.js';
import type { SecureWire, WireListener } from './secure-wire.js';

/** A TLS socket whose handshake is over, as a wire. It owns the socket. */
export class TlsWire implements SecureWire {
  readonly address: string;
  readonly peerCertificate: Uint8Array;
  readonly #socket: TLSSocket;
  #listener: WireListener | null = null;
  /** What came before anybody listened: the socket is paused, so this is one chunk at most. */
  #early: Uint8Array[] = [];
  #closed = false;
  #error: LinkError | null = null;

  /** @param address the peer's, for a socket that has lost it already */
  constructor(socket: TLSSocket, address: string) {
    this.#socket = socket;
    this.address = address;
    this.peerCertificate = new Uint8Array(socket.getPeerX509Certificate()?.raw ?? []);
    socket.setNoDelay(true);
    socket.setTimeout(0);
    socket.on('error', (cause: Error) => {
      this.#error ??= new LinkError('LINK_CONNECTION_CLOSED', 'the connection broke', { reason: codeOf(cause) }, cause);
    });
    socket.on('close', () => {
      this.#closed = true;
      this.#listener?.closed(this.#error);
    });
    socket.on('data', (buffer: Buffer) => {
      // A Buffer's `slice` shares its memory, which nobody who takes a Uint8Array expects.
      const chunk = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
      if (this.#listener === null) this.#early.push(chunk);
      else this.#listener.data(chunk);
    });
  }

  exportKeyingMaterial(byteCount: number, label: string, context: string): Uint8Array {
    try {
      return new Uint8Array(this.#socket.exportKeyingMaterial(byteCount, label, Buffer.from(context, 'latin1')));
    } catch (cause) {
      throw new LinkError('LINK_TLS_FAILED', 'TLS gives no keying material', {}, cause);
    }
  }

  write(bytes: Uint8Array, taken: () => void): void {
    this.#socket.write(bytes, (error) => {
      if (error === null || error === undefined) taken();
    });
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  attach(listener: WireListener): void {
    this.#listener = listener;
    for (const chunk of this.#early.splice(0)) this.#listener.data(chunk);
    if (this.#closed) this.#listener.closed(this.#error);
  }
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
