import type { TLSSocket } from 'node:tls';
import { LinkError } from '../errors.js';
import type { ReadBuffer } from './read-buffer.js';
import type { SecureWire, WireListener } from './secure-wire.js';

/** A TLS socket whose handshake is over, as a wire. It owns the socket. */
export class TlsWire implements SecureWire {
  readonly address: string;
  readonly peerCertificate: Uint8Array;
  readonly #socket: TLSSocket;
  #listener: WireListener | null = null;
  /**
   * What came while nobody listened, or after `pause`: a socket with a read buffer brings what TLS has decrypted even then.
   * No more than one read of the system has.
   */
  #waiting: Uint8Array[] = [];
  #paused = false;
  #closed = false;
  #toldClosed: WireListener | null = null;
  #error: LinkError | null = null;

  /**
   * @param address the peer's, for a socket that has lost it already
   * @param readBuffer in which the socket reads; left out: it reads into memory of its own
   */
  constructor(socket: TLSSocket, address: string, readBuffer?: ReadBuffer) {
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
      if (this.#error !== null) this.#waiting = [];
      this.#deliver();
    });
    if (readBuffer !== undefined) readBuffer.onRead((chunk) => this.#arrived(chunk));
    else {
      socket.on('data', (buffer: Buffer) => {
        // A Buffer's `slice` shares its memory, which nobody who takes a Uint8Array expects.
        this.#arrived(new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength));
      });
    }
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
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#deliver();
    if (!this.#paused) this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#waiting = [];
    this.#socket.destroy();
  }

  attach(listener: WireListener): void {
    this.#listener = listener;
    this.#deliver();
  }

  #arrived(chunk: Uint8Array): void {
    if (this.#listener === null || this.#paused) this.#waiting.push(chunk.slice());
    else this.#listener.data(chunk);
  }

  /** What waits, and the end when it has come; the listener may pause, or make room for another one. */
  #deliver(): void {
    while (this.#waiting.length > 0 && this.#listener !== null && !this.#paused) {
      this.#listener.data(this.#waiting.shift()!);
    }
    if (!this.#closed || this.#waiting.length > 0) return;
    const listener = this.#listener;
    if (listener === null || listener === this.#toldClosed) return;
    this.#toldClosed = listener;
    listener.closed(this.#error);
  }
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
