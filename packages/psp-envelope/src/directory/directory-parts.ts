import { create } from '@bufbuild/protobuf';
import { DiscoveryDirectoryPartSchema, type DiscoveryDirectoryPart } from '@discovery-raft/protocol';
import { EnvelopeError, invalid, requireAtMost } from '../errors.js';
import { sameBytes } from '../same-bytes.js';
import type { Sha256 } from './short-listing.js';

/** Content of every part but the last, unless told otherwise. Small enough that other messages get their turn. */
export const DIRECTORY_PART_BYTES = 524_288;

/** A part before the last has at least this much content, or parts would be cheap to send and dear to take. */
export const MIN_DIRECTORY_PART_BYTES = 16_384;

/** Bytes of a part beside its content, at most. */
export const DIRECTORY_PART_OVERHEAD_BYTES = 128;

const DIGEST_BYTES = 32;

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
  readonly sha256: Sha256;
}

/**
 * Puts the parts of one directory together. They must come in order, without a gap and of one directory; anything else is
 * an error, and the rest of that answer is lost. Memory grows with what has arrived, not with what was announced.
 */
export class DirectoryAssembler {
  readonly #options: AssemblerOptions;
  #first: DiscoveryDirectoryPart | undefined;
  #contents: Uint8Array[] = [];
  #received = 0;

  constructor(options: AssemblerOptions) {
    this.#options = options;
  }

  /** Bytes of content that have come so far. */
  get receivedBytes(): number {
    return this.#received;
  }

  /**
   * Takes the next part, which must have content (`count` above 0). The bytes of its content are kept.
   *
   * @returns the encoded `DiscoveryDirectory` once it is whole and has the digest that was announced
   * @throws EnvelopeError ENVELOPE_TOO_LARGE, ENVELOPE_INVALID_VALUE, ENVELOPE_BAD_FRAMING (out of order or of two
   *   directories), ENVELOPE_MALFORMED (another digest)
   */
  push(part: DiscoveryDirectoryPart): Uint8Array | undefined {
    const first = this.#first ?? this.#begin(part);
    if (part.index !== this.#contents.length) {
      throw badFraming('a part is out of order', { expected: this.#contents.length, found: part.index });
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
    this.#contents.push(part.content);
    this.#received = received;
    return isLast ? this.#finish(total, first.digest) : undefined;
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

  #finish(total: number, digest: Uint8Array): Uint8Array {
    const whole = new Uint8Array(total);
    let at = 0;
    for (const content of this.#contents) {
      whole.set(content, at);
      at += content.length;
    }
    this.#contents = [];
    if (!sameBytes(this.#options.sha256(whole), digest)) {
      throw new EnvelopeError('ENVELOPE_MALFORMED', 'the parts do not have the digest that was announced');
    }
    return whole;
  }
}

function badFraming(message: string, details: Readonly<Record<string, number>>): EnvelopeError {
  return new EnvelopeError('ENVELOPE_BAD_FRAMING', message, details);
}
