import { hash } from 'node:crypto';

/**
 * SHA-256 of `bytes`, 32 bytes. On the heap, where a buffer of Node's would be memory of its own outside: that takes longer to
 * make, and thousands of them a second are much of what a collector has to look after.
 */
export function sha256(bytes: Uint8Array): Uint8Array {
  const packed = hash('sha256', bytes, 'binary');
  const digest = new Uint8Array(packed.length);
  for (let i = 0; i < digest.length; i++) digest[i] = packed.charCodeAt(i);
  return digest;
}
