import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes in use of V8's heap, and of buffers outside it. */
export interface CollectedMemory {
  readonly heapBytes: number;
  readonly bufferBytes: number;
}

/** Bytes in use, buffers too, once everything that can go is gone: what earlier benchmarks left must not count. */
export function collectedHeapBytes(): number {
  const { heapBytes, bufferBytes } = collectedMemory();
  return heapBytes + bufferBytes;
}

/** Collects the whole heap. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
}

/** The same, apart. */
export function collectedMemory(): CollectedMemory {
  // Twice: the bytes of an array are freed by the collection after the one that frees the array.
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return { heapBytes: heapUsed, bufferBytes: arrayBuffers };
}
