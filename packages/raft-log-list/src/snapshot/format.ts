/**
 * The snapshot of a list, version 2. A stream of blocks, each
 *
 *     [payload length: 4 bytes, big-endian][checksum: 4 bytes, big-endian][payload]
 *
 * The checksum is the CRC-32 of all payloads up to and including this one, so a block that is damaged, missing, repeated
 * or out of its place shows. Integers in payloads are 8 bytes, big-endian.
 *
 * - The first payload: the 8 bytes `RAFTLIST`, then version (2), index, entry that is dead on arrival (0 for none),
 *   number of records, and the 32 bytes of the hash chain at the index.
 * - Then payloads of one record or more, in list order. A record: its log index, the length of its entry in 4 bytes, and
 *   the entry (`protocol.RaftLogEntry`, canonical).
 * - Then, once all records are there, one with the 32 bytes of the state's digest, which who reads it works out again.
 * - The last payload is empty; nothing follows.
 *
 * What can be worked out is not stored: identity, expiration and attesters come from the schema again.
 */

/** The only version that is read. Version 1 had no hash chain, and a list cannot go on without. */
export const SNAPSHOT_VERSION = 2;

/** `RAFTLIST` in ASCII. */
export const SNAPSHOT_MAGIC = Uint8Array.of(0x52, 0x41, 0x46, 0x54, 0x4c, 0x49, 0x53, 0x54);

/** Length and checksum of a block. */
export const BLOCK_HEADER_BYTES = 8;

/** Bytes of the first payload. */
export const HEADER_BYTES = 72;

/** Log index and length before each entry. */
export const RECORD_HEADER_BYTES = 12;

/** A block is closed once its payload reaches this. */
export const BLOCK_TARGET_BYTES = 65_536;
