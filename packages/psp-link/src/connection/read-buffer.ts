import type { OnReadOpts } from 'node:net';

/** TLS decrypts no more at a time. */
const BUFFER_BYTES = 16_384;

/**
 * A buffer into which a socket that dials reads, again and again. Without one, each read has memory, an array buffer and a
 * `Buffer` of its own and goes through a stream, which is a good part of what receiving costs. Sockets that were accepted
 * cannot have one: Node makes TLS over a socket that reads already.
 */
export class ReadBuffer {
  readonly #bytes = new Uint8Array(BUFFER_BYTES);
  #listener: ((chunk: Uint8Array) => void) | null = null;
  #early: Uint8Array[] = [];

  /** For `tls.connect`. */
  get option(): OnReadOpts {
    return {
      buffer: this.#bytes,
      callback: (byteCount) => {
        const chunk = this.#bytes.subarray(0, byteCount);
        if (this.#listener === null) this.#early.push(chunk.slice());
        else this.#listener(chunk);
        return true;
      },
    };
  }

  /** Sets who takes what is read, good until it returns. */
  onRead(listener: (chunk: Uint8Array) => void): void {
    this.#listener = listener;
    for (const chunk of this.#early.splice(0)) listener(chunk);
  }
}
