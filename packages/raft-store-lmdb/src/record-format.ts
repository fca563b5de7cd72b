import { crc32 } from 'node:zlib';
import type { HardState, LogIndex } from '@discovery-raft/raft-core';
import { FormatError, readUint64, viewOf, writeUint64 } from './entry-format.js';

/*
 * The small records, every number big-endian: u32 magic, u32 CRC-32 of all that follows, then
 *   log head:   u32 version of the format, u64 first index
 *   hard state: u64 term, u8 whether somebody has the vote, UTF-8 id of who
 */

/**
 * Version of everything that the store keeps in its database. Version 1 differs in that no key of a block names a term: it is read
 * as it is, and a program that knows no other must not write into what this one has written to.
 */
export const FORMAT_VERSION = 2;
const READ_VERSIONS: readonly number[] = [1, FORMAT_VERSION];

const LOG_HEAD = 0x524c4831;
const HARD_STATE = 0x52485331;
const PREFIX_BYTES = 8;

/** What the log's head says. */
export interface LogHead {
  readonly version: number;
  /** Index at which the log begins. */
  readonly firstIndex: LogIndex;
}

/** The index at which the log begins, as bytes. */
export function encodeLogHead(firstIndex: LogIndex): Uint8Array {
  const bytes = new Uint8Array(PREFIX_BYTES + 12);
  const view = viewOf(bytes);
  view.setUint32(PREFIX_BYTES, FORMAT_VERSION);
  writeUint64(view, PREFIX_BYTES + 4, firstIndex);
  return seal(bytes, LOG_HEAD);
}

/** @throws FormatError */
export function decodeLogHead(bytes: Uint8Array): LogHead {
  const view = open(bytes, LOG_HEAD, PREFIX_BYTES + 12);
  const version = view.getUint32(PREFIX_BYTES);
  if (!READ_VERSIONS.includes(version))
    throw new FormatError(`format ${version} is none of the known ${READ_VERSIONS.join(', ')}`);
  return { version, firstIndex: readUint64(view, PREFIX_BYTES + 4) };
}

/** Term and vote as bytes. */
export function encodeHardState(state: HardState): Uint8Array {
  const voter = new TextEncoder().encode(state.votedFor ?? '');
  const bytes = new Uint8Array(PREFIX_BYTES + 9 + voter.length);
  const view = viewOf(bytes);
  writeUint64(view, PREFIX_BYTES, state.term);
  view.setUint8(PREFIX_BYTES + 8, state.votedFor === null ? 0 : 1);
  bytes.set(voter, PREFIX_BYTES + 9);
  return seal(bytes, HARD_STATE);
}

/** @throws FormatError */
export function decodeHardState(bytes: Uint8Array): HardState {
  const view = open(bytes, HARD_STATE, PREFIX_BYTES + 9);
  const voted = view.getUint8(PREFIX_BYTES + 8) === 1;
  const votedFor = voted ? new TextDecoder().decode(bytes.subarray(PREFIX_BYTES + 9)) : null;
  return { term: readUint64(view, PREFIX_BYTES), votedFor };
}

function seal(bytes: Uint8Array, magic: number): Uint8Array {
  const view = viewOf(bytes);
  view.setUint32(0, magic);
  view.setUint32(4, crc32(bytes.subarray(PREFIX_BYTES)));
  return bytes;
}

function open(bytes: Uint8Array, magic: number, leastBytes: number): DataView {
  if (bytes.length < leastBytes) throw new FormatError(`${bytes.length} bytes are fewer than ${leastBytes}`);
  const view = viewOf(bytes);
  if (view.getUint32(0) !== magic) throw new FormatError('it does not begin as what it should be');
  if (view.getUint32(4) !== crc32(bytes.subarray(PREFIX_BYTES))) throw new FormatError('its checksum is wrong');
  return view;
}
