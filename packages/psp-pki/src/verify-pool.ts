import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

import { ED25519_KEY_BYTES, ED25519_SIGNATURE_BYTES, verifyEd25519Async } from './ed25519.js';
import { VERIFY_WORKER_SOURCE } from './verify-worker-source.js';

/** Options of a {@link VerifyPool}. */
export interface VerifyPoolOptions {
  /** Worker threads; default one less than the machine's cores, at least 1. */
  readonly threads?: number;
  /** Most signatures in one message to a thread; default 64. */
  readonly maxBatch?: number;
}

interface Job {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  readonly resolve: (good: boolean) => void;
}

interface Thread {
  readonly worker: Worker;
  /** Batches that it was given and has not answered, oldest first. */
  readonly batches: Job[][];
}

/** So that a thread has work while its answer travels. */
const BATCHES_AHEAD = 2;
/** Megabytes for new objects in a thread: a batch leaves next to nothing, and the default takes tens of them. */
const THREAD_YOUNG_MB = 4;
/** A longer message is not worth sending to a thread beside others: it goes to libuv's pool, which copies it once less. */
const MAX_POOLED_MESSAGE_BYTES = 262_144;
const JOB_HEAD_BYTES = ED25519_KEY_BYTES + ED25519_SIGNATURE_BYTES + 4;

/**
 * Verifies Ed25519 signatures on worker threads, many to a message.
 *
 * Why not `crypto.verify` with a callback: it wakes a thread of libuv's pool for every single signature, which can cost
 * the main thread as much as half of the verification. Here a wake-up is shared by all signatures that were asked for in
 * one turn of the event loop, and keys are imported on the other side.
 *
 * An idle pool does not keep the process alive.
 */
export class VerifyPool {
  readonly #maxBatch: number;
  readonly #wanted: number;
  readonly #threads: Thread[] = [];
  #queue: Job[] = [];
  #scheduled = false;
  #closed = false;

  constructor(options: VerifyPoolOptions = {}) {
    this.#wanted = Math.max(1, options.threads ?? availableParallelism() - 1);
    this.#maxBatch = Math.max(1, options.maxBatch ?? 64);
  }

  /** Signatures that were asked for and are not judged yet. */
  get pending(): number {
    return this.#threads.reduce(
      (sum, { batches }) => sum + batches.reduce((n, jobs) => n + jobs.length, 0),
      this.#queue.length,
    );
  }

  /**
   * Whether the signature is the key's over the message. False for anything malformed; never rejects. The bytes are read
   * in a later turn of the event loop, and must stay as they are until the promise settles.
   */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
    if (publicKey.length !== ED25519_KEY_BYTES || signature.length !== ED25519_SIGNATURE_BYTES) {
      return Promise.resolve(false);
    }
    if (this.#closed || message.length > MAX_POOLED_MESSAGE_BYTES)
      return verifyEd25519Async(publicKey, message, signature);
    return new Promise((resolve) => {
      this.#queue.push({ publicKey, message, signature, resolve });
      if (this.#scheduled) return;
      this.#scheduled = true;
      setImmediate(() => {
        this.#scheduled = false;
        this.#dispatch();
      });
    });
  }

  /** Ends the threads. What is under way, and what comes later, is verified without them. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    const threads = this.#threads.splice(0);
    const left = [...threads.flatMap(({ batches }) => batches.splice(0).flat()), ...this.#queue.splice(0)];
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
    await Promise.all(left.map(verifyHere));
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      let thread: Thread | undefined;
      try {
        thread = this.#idlest();
      } catch {
        // No thread can be started: the pool of libuv does the work.
        for (const job of this.#queue.splice(0)) void verifyHere(job);
      }
      if (thread === undefined) return;
      const jobs = this.#queue.splice(0, this.#maxBatch);
      const buffer = pack(jobs);
      if (thread.batches.length === 0) thread.worker.ref();
      thread.batches.push(jobs);
      thread.worker.postMessage({ buffer, count: jobs.length }, [buffer]);
    }
  }

  /** The thread with the least work, a new one while there may be more; undefined when all have enough. */
  #idlest(): Thread | undefined {
    let best: Thread | undefined;
    for (const thread of this.#threads)
      if (best === undefined || thread.batches.length < best.batches.length) best = thread;
    if ((best === undefined || best.batches.length > 0) && this.#threads.length < this.#wanted && !this.#closed)
      return this.#start();
    return best !== undefined && best.batches.length < BATCHES_AHEAD ? best : undefined;
  }

  #start(): Thread {
    const worker = new Worker(VERIFY_WORKER_SOURCE, {
      eval: true,
      name: 'ed25519',
      resourceLimits: { maxYoungGenerationSizeMb: THREAD_YOUNG_MB },
    });
    const thread: Thread = { worker, batches: [] };
    worker.on('message', (results: Uint8Array) => this.#answered(thread, results));
    // A thread that dies takes no verdict with it: its jobs are done here, and the next batch starts another thread.
    worker.on('error', () => this.#lost(thread));
    worker.on('exit', () => this.#lost(thread));
    worker.unref();
    this.#threads.push(thread);
    return thread;
  }

  #answered(thread: Thread, results: Uint8Array): void {
    const jobs = thread.batches.shift();
    if (thread.batches.length === 0) thread.worker.unref();
    this.#dispatch();
    jobs?.forEach((job, i) => job.resolve(results[i] === 1));
  }

  #lost(thread: Thread): void {
    const at = this.#threads.indexOf(thread);
    if (at >= 0) this.#threads.splice(at, 1);
    for (const job of thread.batches.splice(0).flat()) void verifyHere(job);
    if (!this.#closed) this.#dispatch();
  }
}

async function verifyHere({ publicKey, message, signature, resolve }: Job): Promise<void> {
  resolve(await verifyEd25519Async(publicKey, message, signature));
}

function pack(jobs: readonly Job[]): ArrayBuffer {
  let size = 0;
  for (const { message } of jobs) size += JOB_HEAD_BYTES + message.length;
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const { publicKey, message, signature } of jobs) {
    const { length } = message;
    bytes.set(publicKey, at);
    bytes.set(signature, at + ED25519_KEY_BYTES);
    at += ED25519_KEY_BYTES + ED25519_SIGNATURE_BYTES;
    bytes[at++] = length >>> 24;
    bytes[at++] = length >>> 16;
    bytes[at++] = length >>> 8;
    bytes[at++] = length;
    bytes.set(message, at);
    at += length;
  }
  return bytes.buffer;
}
