/** Tables for as many bytes at a time: the loop then waits for one chain of lookups in eight bytes, not for eight. */
const BYTES_AT_ONCE = 8;

/** `TABLES[k * 256 + b]`: what the byte b comes to with k more bytes behind it. */
const TABLES = crcTables();

function crcTables(): Int32Array {
  const tables = new Int32Array(BYTES_AT_ONCE * 256);
  for (let i = 0; i < 256; i++) {
    let value = i;
    for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    tables[i] = value;
  }
  for (let i = 256; i < tables.length; i++) {
    const shorter = tables[i - 256]!;
    tables[i] = (shorter >>> 8) ^ tables[shorter & 0xff]!;
  }
  return tables;
}

/**
 * CRC-32 (the one of zip and PNG), continued.
 *
 * @param crc result so far; 0 to begin
 * @returns an unsigned 32-bit integer
 */
export function crc32(bytes: Uint8Array, crc = 0): number {
  const t = TABLES;
  const { length } = bytes;
  let value = ~crc;
  let i = 0;
  for (; i + BYTES_AT_ONCE <= length; i += BYTES_AT_ONCE) {
    const a = value ^ (bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
    value =
      t[1792 + (a & 0xff)]! ^
      t[1536 + ((a >>> 8) & 0xff)]! ^
      t[1280 + ((a >>> 16) & 0xff)]! ^
      t[1024 + (a >>> 24)]! ^
      t[768 + bytes[i + 4]!]! ^
      t[512 + bytes[i + 5]!]! ^
      t[256 + bytes[i + 6]!]! ^
      t[bytes[i + 7]!]!;
  }
  for (; i < length; i++) value = (value >>> 8) ^ t[(value ^ bytes[i]!) & 0xff]!;
  return ~value >>> 0;
}
