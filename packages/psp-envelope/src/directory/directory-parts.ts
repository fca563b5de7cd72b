import { create } from '@bufbuild/protobuf';
import { DiscoveryDirectoryPartSchema, type DiscoveryDirectoryPart } from '@discovery-raft/protocol';
import { EnvelopeError, invalid, requireAtMost } from '../errors.js';
import { sameBytes } from '../same-bytes.js';

/** Content of every part but the last, unless told otherwise. Small enough that other messages get their turn. */
export const DIRECTORY_PART_BYTES = 524_288;

/** A part before the last has at least this much content, or parts would be cheap to send and dear to take. */
export const MIN_DIRECTORY_PART_BYTES = 16_384;

/** Bytes of a part beside its content, at most. */
export const DIRECTORY_PART_OVERHEAD_BYTES = 128;

const DIGEST_BYTES = 32;

/** Room that is made for a directory when its first part is there; most have it all then, and are copied once. */
const FIRST_BYTES = 16 * 1024 * 1024;

/** What {@link cutDirectory} takes. */
export interface CutOptions {
  /** Of the pull that is answered. */
  readonly requestID: bigint;
  /** SHA-256 of the bytes. */
  readonly digest: Uint8Array;
  /** From {@link MIN_DIRECTORY_PART_BYTES}. Default {@link DIRECTORY_PART_BYTES}. */
  readonly partBytes?: number;
}

/**
 * Cuts an encoded `DiscoveryDirectory` into the bodies of event 2011, lazily: a part is made when the one before was sent.
 *
 * @param directory at least one byte; the parts are windows of it
 */
export function* cutDirectory(directory: Uint8Array, options: CutOptions): Generator<DiscoveryDirectoryPart> {
  const { requestID, digest, partBytes = DIRECTORY_PART_BYTES } = options;
  const count = Math.ceil(directory.length / partBytes);
  for (let index = 0; index < count; index++) {
    yield create(DiscoveryDirectoryPartSchema, {
      requestID,
      digest,
      totalBytes: BigInt(directory.length),
      index,
      count,
      content: directory.subarray(index * partBytes, (index + 1) * partBytes),
    });
  }
}

/** The answer to a pull that says that there is nothing for the asker. */
export function noDirectoryPart(requestID: bigint): DiscoveryDirectoryPart {
  return create(DiscoveryDirectoryPartSchema, { requestID });
}

/** What a {@link DirectoryAssembler} takes. */
export interface AssemblerOptions {
  /** Most bytes of the whole, checked before memory is taken. */
  readonly maxDirectoryBytes: number;
}

/**
 * Puts the parts of one directory together. They must come in order, without a gap and of one directory; anything else is
 * an error, and the rest of that answer is lost. Memory grows with what has arrived, not with what was announced: at most
 * twice that, or 16 MiB.
 *
 * The digest tells which directory a part is of. It is not computed: whoever is handed a directory verifies signatures over
 * every byte of it, which finds whatever a digest would find, and what it would not.
 */
export class DirectoryAssembler {
  readonly #options: AssemblerOptions;
  #first: DiscoveryDirectoryPart | undefined;
  #parts = 0;
  /** What has come so far, and room for more. */
  #whole = new Uint8Array(0);
  #received = 0;

  constructor(options: AssemblerOptions) {
    this.#options = options;
  }

  /** Bytes of content that have come so far. */
  get receivedBytes(): number {
    return this.#received;
  }

  /**
   * Takes the next part, which must have content (`count` above 0). Its content is copied.
   *
   * @returns the encoded `DiscoveryDirectory` once it is whole; the caller's own
   * @throws EnvelopeError ENVELOPE_TOO_LARGE, ENVELOPE_INVALID_VALUE, ENVELOPE_BAD_FRAMING (out of order or of two
   *   directories)
   */
  push(part: DiscoveryDirectoryPart): Uint8Array | undefined {
    const first = this.#first ?? this.#begin(part);
    if (part.index !== this.#parts) {
      throw badFraming('a part is out of order', { expected: this.#parts, found: part.index });
    }
    if (part.count !== first.count || part.totalBytes !== first.totalBytes || !sameBytes(part.digest, first.digest)) {
      throw badFraming('a part is of another directory', { index: part.index });
    }
    const total = Number(first.totalBytes);
    const isLast = part.index === first.count - 1;
    const received = this.#received + part.content.length;
    if (received > total || (isLast && received < total)) {
      throw badFraming('the parts are not as long as announced', { received, total });
    }
    if (!isLast && part.content.length < MIN_DIRECTORY_PART_BYTES) {
      throw badFraming('a part before the last is too small', { bytes: part.content.length });
    }
    this.#parts++;
    this.#add(part.content, total);
    return isLast ? this.#finish() : undefined;
  }

  #begin(part: DiscoveryDirectoryPart): DiscoveryDirectoryPart {
    if (part.totalBytes > BigInt(this.#options.maxDirectoryBytes)) {
      requireAtMost('directory in parts', Number(part.totalBytes), this.#options.maxDirectoryBytes);
    }
    const most = Math.ceil(Number(part.totalBytes) / MIN_DIRECTORY_PART_BYTES);
    if (part.count < 1 || part.count > most) invalid('count', 'does not fit the size of the directory', part.count);
    if (part.digest.length !== DIGEST_BYTES) invalid('digest', 'is not 32 bytes', part.digest.length);
    this.#first = part;
    return part;
  }

  #add(content: Uint8Array, total: number): void {
    const received = this.#received + content.length;
    if (received > this.#whole.length) {
      const grown = new Uint8Array(Math.min(total, Math.max(2 * received, FIRST_BYTES)));
      grown.set(this.#whole.subarray(0, this.#received));
      this.#whole = grown;
    }
    this.#whole.set(content, this.#received);
    this.#received = received;
  }

  #finish(): Uint8Array {
    const whole = this.#whole;
    this.#whole = new Uint8Array(0);
    return whole;
  }
}

function badFraming(message: string, details: Readonly<Record<string, number>>): EnvelopeError {
  return new EnvelopeError('ENVELOPE_BAD_FRAMING', message, details);
}
