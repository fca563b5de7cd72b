import { hash } from 'node:crypto';
import type { SeenMark } from '../directory/seen-mark.js';

/*
 * The cache file, big-endian:
 *
 *     magic 4 | creation of the newest seen 8 | its full digest 32 | length 4 | DiscoveryDirectory | SHA-256 of all before 32
 *
 * Length 0 is no directory: the mark alone. The checksum tells damage; whom to believe, the signatures tell.
 */

const MAGIC = 0x50_44_43_31;
const DIGEST_BYTES = 32;
const HEAD_BYTES = 4 + 8 + DIGEST_BYTES + 4;

/** Bytes of a cache file beside the directory. */
export const CACHE_OVERHEAD_BYTES = HEAD_BYTES + DIGEST_BYTES;

/** What a cache file holds. */
export interface CachedState {
  readonly seen: SeenMark;
  /** `DiscoveryDirectory` bytes; null when the cache was cleared. */
  readonly directory: Uint8Array | null;
}

/** The bytes of a cache file. */
export function encodeCache({ seen, directory }: CachedState): Uint8Array {
  const length = directory?.length ?? 0;
  const bytes = new Uint8Array(HEAD_BYTES + length + DIGEST_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  view.setBigUint64(4, BigInt(seen.creation));
  bytes.set(seen.fullDigest, 12);
  view.setUint32(12 + DIGEST_BYTES, length);
  if (directory !== null) bytes.set(directory, HEAD_BYTES);
  bytes.set(hash('sha256', bytes.subarray(0, HEAD_BYTES + length), 'buffer'), HEAD_BYTES + length);
  return bytes;
}

/** Reads a cache file. @returns undefined when it is damaged, or of another format */
export function decodeCache(bytes: Uint8Array): CachedState | undefined {
  if (bytes.length < CACHE_OVERHEAD_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = view.getUint32(12 + DIGEST_BYTES);
  if (view.getUint32(0) !== MAGIC || bytes.length !== CACHE_OVERHEAD_BYTES + length) return undefined;
  const end = HEAD_BYTES + length;
  if (!hash('sha256', bytes.subarray(0, end), 'buffer').equals(bytes.subarray(end))) return undefined;
  const creation = view.getBigUint64(4);
  if (creation > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  return {
    seen: { creation: Number(creation), fullDigest: bytes.slice(12, 12 + DIGEST_BYTES) },
    directory: length === 0 ? null : bytes.slice(HEAD_BYTES, end),
  };
}
