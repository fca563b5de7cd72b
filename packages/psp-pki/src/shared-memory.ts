/** A longer message is not copied to a thread: in shared memory it is read where it lies. */
export const MAX_COPIED_MESSAGE_BYTES = 262_144;

/** Of the shared bytes: enough that what nobody needs any more never adds up to more than a few times 64 MiB. */
const COUNTED_SHARE = 1 / 4;

/**
 * V8 does not count shared memory when it decides whether to collect garbage, so megabytes that nobody needs any more would
 * stay until it collects for another reason. What it counts in place of them is never touched, and so is no memory but a number.
 */
const counted = new WeakMap<object, ArrayBuffer>();

/**
 * Memory for a message that a `VerifyPool` shall sign or verify: its threads read what is over 256 KiB where it lies, without a
 * copy for each signature. What is shorter is copied for less than sharing it costs, and so is an ordinary `Uint8Array`.
 *
 * @returns zeroed
 */
export function sharedMemory(bytes: number): Uint8Array {
  if (bytes <= MAX_COPIED_MESSAGE_BYTES) return new Uint8Array(bytes);
  const memory = new SharedArrayBuffer(bytes);
  counted.set(memory, new ArrayBuffer(Math.ceil(bytes * COUNTED_SHARE)));
  return new Uint8Array(memory);
}
