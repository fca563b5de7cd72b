/**
 * The bytes of a log entry: the protobuf message `protocol.RaftLogEntry`, and what becomes of bytes that are not one.
 *
 * Written out here rather than left to the generated code, for three reasons. Every replica must take or refuse exactly
 * the same bytes, also when they run different versions of a protobuf library. The limits must be checked before memory
 * is taken. And this is the hot path of every update. Tests hold it against the generated code in both directions.
 *
 * Stricter than protobuf in two points: an integer must be below 2^53, and the signature inside an attestation must stand
 * exactly once (protobuf would merge two of them).
 */
import type { DiscoverySignature } from '@discovery-raft/protocol';
import type { ListLimits } from '../limits.js';
import type { NewAttestation } from '../record.js';
import { WireReader, WireWriter, bytesFieldSize, varintSize } from './wire.js';

/** One `RaftLogEntry`, decoded. */
export interface EntryFields {
  /** Field 1; empty for a removal or a freeze marker. */
  readonly packet: Uint8Array;
  /** Field 2. */
  readonly attestations: readonly NewAttestation[];
  /** Field 3; 0 for none. */
  readonly deleteIndex: number;
  /** Field 4, an extension; 0 for none. */
  readonly round: number;
  /** Field 5, an extension; 0 for none. First record of the chain of updates that this entry continues or ends. */
  readonly origin: number;
}

/** An entry as it was read. */
export interface DecodedEntry extends EntryFields {
  /** Whether {@link encodeEntry} gives the very bytes that it was read from; known without encoding it. */
  readonly canonical: boolean;
}

const NO_BYTES: Uint8Array = new Uint8Array(0);

/** Tags: field number times 8, plus the wire type. */
const TAG = { packet: 10, attestation: 18, deleteIndex: 24, round: 32, origin: 40 } as const;
const ATTESTATION_TAG = { signature: 10, expiration: 16 } as const;
const SIGNATURE_TAG = { certificate: 10, signature: 18 } as const;

/**
 * Decodes an entry. Total: any bytes give an entry or undefined, and never an exception.
 *
 * @param data not copied; the result holds windows into it
 * @returns undefined when the bytes are no `RaftLogEntry`, or over a limit
 */
export function decodeEntry(data: Uint8Array, limits: ListLimits): DecodedEntry | undefined {
  let packet: Uint8Array = NO_BYTES;
  let deleteIndex = 0;
  let round = 0;
  let origin = 0;
  const attestations: NewAttestation[] = [];
  const reader = new WireReader(data);
  const form = new Form(reader);
  while (reader.more) {
    const tag = reader.varint();
    form.field(tag, TAG.attestation);
    if (tag === TAG.packet) packet = reader.bytes(limits.maxPacketBytes);
    else if (tag === TAG.deleteIndex) deleteIndex = reader.varint();
    else if (tag === TAG.round) round = reader.varint();
    else if (tag === TAG.origin) origin = reader.varint();
    else if (tag === TAG.attestation) {
      if (attestations.length >= limits.maxAttestations) return undefined;
      const attestation = decodeAttestation(reader.message(), limits.maxAttestationBytes, form);
      if (attestation === undefined) return undefined;
      attestations.push(attestation);
    } else reader.skip(tag);
  }
  if (reader.failed) return undefined;
  const values = [packet.length, attestations.length, deleteIndex, round, origin];
  return { packet, attestations, deleteIndex, round, origin, canonical: form.canonical(values) };
}

/** Watches while a message is read whether its bytes are those that {@link encodeEntry} would write. */
class Form {
  readonly #reader: WireReader;
  #lastTag = 0;
  #fields = 0;
  #broken = false;

  constructor(reader: WireReader) {
    this.#reader = reader;
  }

  /** @param repeated a tag that may come several times */
  field(tag: number, repeated = 0): void {
    if (tag > this.#lastTag) this.#fields++;
    else if (tag !== repeated || tag !== this.#lastTag) this.#broken = true;
    this.#lastTag = tag;
  }

  /** Something inside was not as it should. */
  break(): void {
    this.#broken = true;
  }

  /**
   * @param values what was read of each known field: a default one must not have been written, and nothing else was
   */
  canonical(values: readonly number[]): boolean {
    const written = values.reduce((count, value) => (value === 0 ? count : count + 1), 0);
    return !this.#broken && this.#reader.minimal && written === this.#fields;
  }
}

function decodeAttestation(reader: WireReader, maxBytes: number, outer: Form): NewAttestation | undefined {
  let signature: DiscoverySignature | undefined;
  let expiration = 0;
  const form = new Form(reader);
  while (reader.more) {
    const tag = reader.varint();
    form.field(tag);
    if (tag === ATTESTATION_TAG.expiration) expiration = reader.varint();
    else if (tag === ATTESTATION_TAG.signature) {
      if (signature !== undefined) return undefined;
      signature = decodeSignature(reader.message(), maxBytes, form);
      if (signature === undefined) return undefined;
    } else reader.skip(tag);
  }
  if (reader.failed || signature === undefined) return undefined;
  if (!form.canonical([1, expiration])) outer.break();
  return { signature, expiration };
}

function decodeSignature(reader: WireReader, maxBytes: number, outer: Form): DiscoverySignature | undefined {
  let certificate: Uint8Array = NO_BYTES;
  let signature: Uint8Array = NO_BYTES;
  const form = new Form(reader);
  while (reader.more) {
    const tag = reader.varint();
    form.field(tag);
    if (tag === SIGNATURE_TAG.certificate) certificate = reader.bytes(maxBytes);
    else if (tag === SIGNATURE_TAG.signature) signature = reader.bytes(maxBytes);
    else reader.skip(tag);
  }
  if (reader.failed) return undefined;
  if (!form.canonical([certificate.length, signature.length])) outer.break();
  return { $typeName: 'protocol.DiscoverySignature', certificate, signature };
}

/**
 * Where the packet is in bytes that {@link encodeEntry} made of an entry with one.
 *
 * @param begin of the entry within `bytes`, and `end` behind it
 */
export function packetRange(bytes: Uint8Array, begin: number, end: number): readonly [begin: number, end: number] {
  const reader = new WireReader(bytes, begin, end);
  reader.varint(); // The tag: the packet is the first field.
  const length = reader.varint();
  return [reader.position, reader.position + length];
}

/** Where the signature of an attestation is, and until when the attestation holds. */
export interface AttestationPlace {
  readonly begin: number;
  readonly end: number;
  /** Unix seconds. */
  readonly expiration: number;
}

/**
 * Where the signatures of all attestations are in bytes that {@link encodeEntry} made of an entry with a packet.
 *
 * @param begin of the entry within `bytes`, and `end` behind it
 */
export function attestationPlaces(bytes: Uint8Array, begin: number, end: number): readonly AttestationPlace[] {
  const places: AttestationPlace[] = [];
  const reader = new WireReader(bytes, begin, end);
  reader.varint();
  reader.pass(reader.varint());
  while (reader.more && reader.varint() === TAG.attestation) places.push(attestationPlace(reader));
  return places;
}

function attestationPlace(reader: WireReader): AttestationPlace {
  const length = reader.varint();
  const behind = reader.position + length;
  reader.varint(); // The tag: the signature is the first field, and always there.
  const behindSignature = reader.varint() + reader.position;
  let [begin, end] = [0, 0];
  while (reader.position < behindSignature) {
    const tag = reader.varint();
    const size = reader.varint();
    if (tag === SIGNATURE_TAG.signature) [begin, end] = [reader.position, reader.position + size];
    reader.pass(size);
  }
  let expiration = 0;
  if (reader.position < behind) {
    reader.varint(); // The tag: the expiration is the last one.
    expiration = reader.varint();
  }
  return { begin, end, expiration };
}

function signatureSize({ certificate, signature }: DiscoverySignature): number {
  return optionalBytesSize(certificate) + optionalBytesSize(signature);
}

function attestationSize({ signature, expiration }: NewAttestation): number {
  return bytesFieldSize(signatureSize(signature)) + optionalVarintSize(expiration);
}

function optionalBytesSize(bytes: Uint8Array): number {
  return bytes.length === 0 ? 0 : bytesFieldSize(bytes.length);
}

function optionalVarintSize(value: number): number {
  return value === 0 ? 0 : 1 + varintSize(value);
}

/** Encodes an entry: the canonical bytes, fields in order, defaults left out. */
export function encodeEntry(entry: Partial<EntryFields>): Uint8Array {
  const { packet = NO_BYTES, attestations = [], deleteIndex = 0, round = 0, origin = 0 } = entry;
  let size = optionalBytesSize(packet);
  for (const attestation of attestations) size += bytesFieldSize(attestationSize(attestation));
  size += optionalVarintSize(deleteIndex) + optionalVarintSize(round) + optionalVarintSize(origin);

  const writer = new WireWriter(size);
  if (packet.length > 0) writer.bytesField(1, packet);
  for (const attestation of attestations) {
    const { certificate, signature } = attestation.signature;
    writer.messageField(2, attestationSize(attestation));
    writer.messageField(1, signatureSize(attestation.signature));
    if (certificate.length > 0) writer.bytesField(1, certificate);
    if (signature.length > 0) writer.bytesField(2, signature);
    if (attestation.expiration > 0) writer.varintField(2, attestation.expiration);
  }
  if (deleteIndex > 0) writer.varintField(3, deleteIndex);
  if (round > 0) writer.varintField(4, round);
  if (origin > 0) writer.varintField(5, origin);
  return writer.bytes;
}
