import { createHash } from 'node:crypto';
import { open, readFile, stat, type FileHandle } from 'node:fs/promises';
import { codeOf, PRIVATE_FILE } from '../directory/durable-file.js';
import { ENTRY_BYTES } from './digest-table.js';

/*
 * A file of verdicts: magic 8 | blocks. A block: number of entries in 4 bytes,
 * big-endian | the first 16 bytes of SHA-256 of that number and the entries | the entries. What follows a block that is torn
 * or damaged is not read. Losing any of it costs a verification, so nothing is synced.
 */
const MAGIC = Buffer.from('DRVERD02', 'latin1');
const COUNT_BYTES = 4;
const CHECK_BYTES = 16;
const BLOCK_HEAD_BYTES = COUNT_BYTES + CHECK_BYTES;

/** What was read of a file. */
export interface ReadVerdicts {
  /** Whole entries, in the blocks that they were written in. */
  readonly blocks: readonly Buffer[];
  /** Bytes of the file that are good; 0 when it has to be begun anew. */
  readonly goodBytes: number;
}

const NOTHING: ReadVerdicts = { blocks: [], goodBytes: 0 };

/** Reads what is good of a file; nothing of one that is missing, too long or none of ours. */
export async function readVerdicts(file: string, maxBytes: number): Promise<ReadVerdicts> {
  let bytes: Buffer;
  try {
    const { size } = await stat(file);
    if (size > maxBytes) return NOTHING;
    bytes = await readFile(file);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return NOTHING;
    throw error;
  }
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return NOTHING;
  const blocks: Buffer[] = [];
  let at = MAGIC.length;
  for (let block = blockAt(bytes, at); block !== undefined; block = blockAt(bytes, at)) {
    blocks.push(block);
    at += BLOCK_HEAD_BYTES + block.length;
  }
  return { blocks, goodBytes: at };
}

/** The entries of the block at an offset; undefined when none that is whole begins there. */
function blockAt(bytes: Buffer, at: number): Buffer | undefined {
  if (bytes.length - at < BLOCK_HEAD_BYTES) return undefined;
  const length = bytes.readUInt32BE(at) * ENTRY_BYTES;
  const from = at + BLOCK_HEAD_BYTES;
  if (length === 0 || length > bytes.length - from) return undefined;
  const entries = bytes.subarray(from, from + length);
  const check = bytes.subarray(at + COUNT_BYTES, from);
  return check.equals(checkOf(bytes.subarray(at, at + COUNT_BYTES), entries)) ? entries : undefined;
}

/** Opens a file to append to. @param goodBytes what is kept of it; 0 begins it anew */
export async function openVerdicts(file: string, goodBytes: number): Promise<FileHandle> {
  const handle = await open(file, goodBytes === 0 ? 'w' : 'r+', PRIVATE_FILE);
  try {
    if (goodBytes === 0) await handle.write(MAGIC, 0, MAGIC.length, 0);
    else await handle.truncate(goodBytes);
  } catch (error) {
    await handle.close();
    throw error;
  }
  return handle;
}

/** Bytes of a file without blocks. */
export const EMPTY_FILE_BYTES = MAGIC.length;

/** The block of some entries. */
export function blockOf(entries: Buffer): Buffer {
  const count = Buffer.alloc(COUNT_BYTES);
  count.writeUInt32BE(entries.length / ENTRY_BYTES);
  return Buffer.concat([count, checkOf(count, entries), entries]);
}

function checkOf(count: Buffer, entries: Buffer): Buffer {
  return createHash('sha256').update(count).update(entries).digest().subarray(0, CHECK_BYTES);
}
