import { createHash } from 'node:crypto';
import { FIXED_HEAD_BYTES, VARIABLE_HEAD_BYTES, writeCellHead, type Cell } from '../cells/cell.js';
import { isFixed } from '../cells/command.js';

/** SHA-256 of all bytes that one side has sent. A cell has one encoding, so its bytes need not be kept. */
export class Transcript {
  readonly #hash = createHash('sha256');

  /** Adds bytes as they were sent. */
  addBytes(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** Adds a cell as it was received. */
  addCell({ circuitId, command, payload }: Cell): void {
    const head = new Uint8Array(isFixed(command) ? FIXED_HEAD_BYTES : VARIABLE_HEAD_BYTES);
    writeCellHead(head, 0, circuitId, command, payload.length);
    this.#hash.update(head).update(payload);
  }

  /** The digest so far: 32 new bytes. More can be added after it. */
  digest(): Uint8Array {
    return new Uint8Array(this.#hash.copy().digest());
  }
}
