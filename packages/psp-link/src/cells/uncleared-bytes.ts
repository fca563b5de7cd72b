/** New memory that holds anything: for a caller who writes every byte before it is read. */
export function unclearedBytes(byteCount: number): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset } = Buffer.allocUnsafeSlow(byteCount);
  return new Uint8Array(buffer, byteOffset, byteCount);
}
