import { EntryType, type LogEntry, type LogIndex, type Term } from '@discovery-raft/raft-core';

/*
 * One entry inside a block, every number big-endian:
 *
 *   u8 type, u8 flags, u32 bytes of data,
 *   [u32 bytes of extensions] [f64 appendedAtMs] [u64 term] [u64 index], data, [extensions]
 *
 * The term is left out where it is that of the entry before, and the index where it is the next one. A tombstone has the
 * index and the term of what it replaces, so an entry may be replaced by its tombstone, and a block cut short behind any
 * entry, without touching the bytes of the others.
 */

/** Bytes are not what the format says; whoever knows where they came from turns this into a StoreError. */
export class FormatError extends Error {
  override readonly name = 'FormatError';
}

const HAS_EXTENSIONS = 1;
const HAS_APPENDED_AT = 2;
const HAS_TERM = 4;
const HAS_INDEX = 8;
const ALL_FLAGS = 15;
const FIXED_BYTES = 6;

const TYPES: ReadonlySet<number> = new Set(Object.values(EntryType));

/** What the reader of a sequence of entries carries from one to the next. */
export interface EntryCursor {
  offset: number;
  /** Index of the next entry, unless it says otherwise. */
  index: LogIndex;
  /** Term of the entry before; 0 before the first. */
  term: Term;
}

/** Most bytes that {@link writeEntry} may need for this entry. */
export function maxEncodedBytes(entry: LogEntry): number {
  return FIXED_BYTES + 28 + entry.data.length + (entry.extensions?.length ?? 0);
}

/** Writes an entry at the cursor and moves the cursor behind it. The target must have {@link maxEncodedBytes} left. */
export function writeEntry(target: Uint8Array, view: DataView, cursor: EntryCursor, entry: LogEntry): void {
  const { data, extensions, appendedAtMs } = entry;
  let at = cursor.offset + FIXED_BYTES;
  let flags = 0;
  if (extensions !== undefined) {
    flags |= HAS_EXTENSIONS;
    view.setUint32(at, extensions.length);
    at += 4;
  }
  if (appendedAtMs !== undefined) {
    flags |= HAS_APPENDED_AT;
    view.setFloat64(at, appendedAtMs);
    at += 8;
  }
  if (entry.term !== cursor.term) {
    flags |= HAS_TERM;
    writeUint64(view, at, entry.term);
    at += 8;
  }
  if (entry.index !== cursor.index) {
    flags |= HAS_INDEX;
    writeUint64(view, at, entry.index);
    at += 8;
  }
  view.setUint8(cursor.offset, entry.type);
  view.setUint8(cursor.offset + 1, flags);
  view.setUint32(cursor.offset + 2, data.length);
  target.set(data, at);
  at += data.length;
  if (extensions !== undefined) {
    target.set(extensions, at);
    at += extensions.length;
  }
  cursor.offset = at;
  cursor.index = entry.index + 1;
  cursor.term = entry.term;
}

/** Reads the entry at the cursor, or what is wanted of it, and moves the cursor behind it. @throws FormatError */
export type ReadEntry = (bytes: Uint8Array, view: DataView, cursor: EntryCursor) => LogEntry;

const NO_DATA = new Uint8Array(0);

/** Reads the outline of an entry: a command without its bytes, and anything else whole. */
export const readOutline: ReadEntry = (bytes, view, cursor) => {
  if (view.getUint8(cursor.offset) !== EntryType.command) return readEntry(bytes, view, cursor, copyOf);
  skipEntry(bytes, view, cursor);
  return commandOutline(cursor.index - 1, cursor.term);
};

/** A command without its bytes. */
export function commandOutline(index: LogIndex, term: Term): LogEntry {
  return { index, term, type: EntryType.command, data: NO_DATA };
}

/** Reads whole entries. Who keeps one keeps no more than {@link RUN_BYTES} alive, or the entry's own bytes. */
export function entryReader(): ReadEntry {
  const windowOf = copiedInRuns();
  return (bytes, view, cursor) => readEntry(bytes, view, cursor, windowOf);
}

/** Reads whole entries whose bytes are windows of the block's. */
export const readWindows: ReadEntry = (bytes, view, cursor) => readEntry(bytes, view, cursor, windowOf);

/** Bytes that are copied together: a buffer for each of many small entries takes longer to get than to fill. */
export const RUN_BYTES = 8192;

type Copy = (bytes: Uint8Array, begin: number, end: number) => Uint8Array;

const windowOf: Copy = (bytes, begin, end) => bytes.subarray(begin, end);

const copyOf: Copy = (bytes, begin, end) => bytes.slice(begin, end);

/** Copies what lies side by side together. For ascending places in one array of bytes. */
function copiedInRuns(): Copy {
  let run: Uint8Array = NO_DATA;
  let runAt = 0;
  return (bytes, begin, end) => {
    if (end - begin > RUN_BYTES / 2) return copyOf(bytes, begin, end);
    if (end > runAt + run.length) {
      run = copyOf(bytes, begin, begin + RUN_BYTES);
      runAt = begin;
    }
    return run.subarray(begin - runAt, end - runAt);
  };
}

function readEntry(bytes: Uint8Array, view: DataView, cursor: EntryCursor, copy: Copy): LogEntry {
  const begin = cursor.offset;
  const dataAt = skipEntry(bytes, view, cursor);
  const flags = view.getUint8(begin + 1);
  const dataBytes = view.getUint32(begin + 2);
  const type = typeOf(view.getUint8(begin));
  const entry: { -readonly [K in keyof LogEntry]: LogEntry[K] } = {
    index: cursor.index - 1,
    term: cursor.term,
    type,
    data: copy(bytes, dataAt, dataAt + dataBytes),
  };
  if ((flags & HAS_EXTENSIONS) !== 0) entry.extensions = copy(bytes, dataAt + dataBytes, cursor.offset);
  if ((flags & HAS_APPENDED_AT) !== 0) {
    entry.appendedAtMs = view.getFloat64(begin + FIXED_BYTES + (flags & HAS_EXTENSIONS ? 4 : 0));
  }
  return entry;
}

/** Moves the cursor behind the entry that it stands at. Returns where the entry's data begin. @throws FormatError */
export function skipEntry(bytes: Uint8Array, view: DataView, cursor: EntryCursor): number {
  let at = cursor.offset + FIXED_BYTES;
  if (at > bytes.length) throw new FormatError(`an entry's head is cut off at byte ${bytes.length}`);
  const flags = view.getUint8(cursor.offset + 1);
  if ((flags & ~ALL_FLAGS) !== 0) throw new FormatError(`an entry has the unknown flags ${flags}`);
  const head =
    (flags & HAS_EXTENSIONS ? 4 : 0) +
    (flags & HAS_APPENDED_AT ? 8 : 0) +
    (flags & HAS_TERM ? 8 : 0) +
    (flags & HAS_INDEX ? 8 : 0);
  if (at + head > bytes.length) throw new FormatError(`an entry's head is cut off at byte ${bytes.length}`);
  let extensionBytes = 0;
  if ((flags & HAS_EXTENSIONS) !== 0) {
    extensionBytes = view.getUint32(at);
    at += 4;
  }
  if ((flags & HAS_APPENDED_AT) !== 0) at += 8;
  if ((flags & HAS_TERM) !== 0) {
    cursor.term = readUint64(view, at);
    at += 8;
  }
  if ((flags & HAS_INDEX) !== 0) {
    cursor.index = readUint64(view, at);
    at += 8;
  }
  const end = at + view.getUint32(cursor.offset + 2) + extensionBytes;
  if (end > bytes.length) throw new FormatError(`an entry reaches to byte ${end} of ${bytes.length}`);
  cursor.offset = end;
  cursor.index++;
  return at;
}

function typeOf(byte: number): EntryType {
  if (!TYPES.has(byte)) throw new FormatError(`an entry has the unknown type ${byte}`);
  return byte as EntryType;
}

/** Writes a safe integer as 8 bytes, the highest first. */
export function writeUint64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, Math.floor(value / 2 ** 32));
  view.setUint32(offset + 4, value % 2 ** 32);
}

/** Reads 8 bytes, the highest first. @throws FormatError above 2^53 - 1 */
export function readUint64(view: DataView, offset: number): number {
  const value = view.getUint32(offset) * 2 ** 32 + view.getUint32(offset + 4);
  if (!Number.isSafeInteger(value)) throw new FormatError(`a number of ${value} is above 2^53 - 1`);
  return value;
}

/** A view of just these bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
