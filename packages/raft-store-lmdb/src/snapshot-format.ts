import { crc32 } from 'node:zlib';
import type { Configuration, Server, SnapshotMeta } from '@discovery-raft/raft-core';
import { FormatError, viewOf } from './entry-format.js';

/*
 * A snapshot is one file, every number big-endian:
 *
 *   u32 magic, u32 version of this format, u32 bytes of a chunk, u32 zero
 *   chunks:  u32 CRC-32 of the chunk, begun with the chunk's number; the bytes. All but the last are full.
 *   tail:    the meta as JSON; u32 its bytes, u32 its CRC-32, u32 version, u32 magic
 *
 * The tail is written last, so that a file without one is one that was not finished. Where a byte of the state lies follows
 * from its offset alone.
 */

/** Bytes of state in a chunk. */
export const CHUNK_BYTES = 64 << 10;
/** Bytes before the first chunk. */
export const HEAD_BYTES = 16;
/** Bytes of the tail behind the JSON. */
export const TRAILER_BYTES = 16;
const CHECKSUM_BYTES = 4;
/** A configuration has some tens of servers. */
const MAX_META_BYTES = 1 << 20;

const VERSION = 1;
const HEAD_MAGIC = 0x52534e48;
const TAIL_MAGIC = 0x52534e54;

/** What the tail says. */
export interface SnapshotTail {
  readonly meta: SnapshotMeta;
  /** Which of the store's snapshots it was, in the order in which they were closed. */
  readonly closed: number;
}

/** The first bytes of a file. */
export function encodeHead(): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES);
  const view = viewOf(bytes);
  view.setUint32(0, HEAD_MAGIC);
  view.setUint32(4, VERSION);
  view.setUint32(8, CHUNK_BYTES);
  return bytes;
}

/** @throws FormatError */
export function checkHead(bytes: Uint8Array): void {
  if (bytes.length < HEAD_BYTES || viewOf(bytes).getUint32(0) !== HEAD_MAGIC) throw new FormatError('it has no head');
  const [version, chunkBytes] = [viewOf(bytes).getUint32(4), viewOf(bytes).getUint32(8)];
  if (version !== VERSION) throw new FormatError(`format ${version} is not the known ${VERSION}`);
  if (chunkBytes !== CHUNK_BYTES) throw new FormatError(`chunks of ${chunkBytes} bytes are not known`);
}

/** A chunk with its checksum before it. @param number of the chunk, from 0 */
export function encodeChunk(number: number, chunk: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(CHECKSUM_BYTES + chunk.length);
  viewOf(bytes).setUint32(0, crc32(chunk, number));
  bytes.set(chunk, CHECKSUM_BYTES);
  return bytes;
}

/** The bytes of a chunk, as a view. @throws FormatError */
export function decodeChunk(number: number, bytes: Uint8Array): Uint8Array {
  const chunk = bytes.subarray(CHECKSUM_BYTES);
  const right = bytes.length >= CHECKSUM_BYTES && viewOf(bytes).getUint32(0) === crc32(chunk, number);
  if (!right) throw new FormatError(`the checksum of chunk ${number} is wrong`);
  return chunk;
}

/** Where a chunk lies in the file of a state of `size` bytes, its checksum included. */
export function chunkPlace(number: number, size: number): { readonly at: number; readonly bytes: number } {
  const dataBytes = Math.min(CHUNK_BYTES, size - number * CHUNK_BYTES);
  return { at: HEAD_BYTES + number * (CHECKSUM_BYTES + CHUNK_BYTES), bytes: CHECKSUM_BYTES + dataBytes };
}

/** Where the tail begins in the file of a state of `size` bytes. */
export function tailOffset(size: number): number {
  return HEAD_BYTES + size + CHECKSUM_BYTES * Math.ceil(size / CHUNK_BYTES);
}

/** The last bytes of a file. */
export function encodeTail(tail: SnapshotTail): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(tail));
  const bytes = new Uint8Array(json.length + TRAILER_BYTES);
  bytes.set(json);
  const view = viewOf(bytes);
  view.setUint32(json.length, json.length);
  view.setUint32(json.length + 4, crc32(json));
  view.setUint32(json.length + 8, VERSION);
  view.setUint32(json.length + 12, TAIL_MAGIC);
  return bytes;
}

/** How long the JSON before this trailer is. @throws FormatError */
export function decodeTrailer(bytes: Uint8Array): { readonly metaBytes: number; readonly checksum: number } {
  const view = viewOf(bytes);
  if (bytes.length !== TRAILER_BYTES || view.getUint32(12) !== TAIL_MAGIC) throw new FormatError('it has no tail');
  const metaBytes = view.getUint32(0);
  if (metaBytes > MAX_META_BYTES) throw new FormatError(`its meta of ${metaBytes} bytes is too large`);
  return { metaBytes, checksum: view.getUint32(4) };
}

/** @throws FormatError */
export function decodeTail(json: Uint8Array, checksum: number): SnapshotTail {
  if (crc32(json) !== checksum) throw new FormatError('the checksum of its meta is wrong');
  const tail = parse(json);
  if (!isTail(tail)) throw new FormatError('its meta lacks a field');
  return tail;
}

function parse(json: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(json));
  } catch {
    throw new FormatError('its meta is no JSON');
  }
}

function isTail(value: unknown): value is SnapshotTail {
  if (!isObject(value) || !isObject(value['meta'])) return false;
  const { meta } = value;
  const numbers = [
    value['closed'],
    ...['version', 'index', 'term', 'configurationIndex', 'size'].map((name) => meta[name]),
  ];
  return (
    numbers.every(Number.isSafeInteger) && typeof meta['id'] === 'string' && isConfiguration(meta['configuration'])
  );
}

function isConfiguration(value: unknown): value is Configuration {
  if (!isObject(value)) return false;
  const areServers = (list: unknown): boolean => Array.isArray(list) && list.every(isServer);
  return areServers(value['servers']) && (value['outgoing'] === undefined || areServers(value['outgoing']));
}

function isServer(value: unknown): value is Server {
  if (!isObject(value)) return false;
  const known = ['voter', 'nonvoter', 'staging'].includes(String(value['suffrage']));
  return known && typeof value['id'] === 'string' && typeof value['address'] === 'string';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
