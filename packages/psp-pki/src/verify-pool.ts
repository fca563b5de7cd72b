import type { KeyObject } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

import {
  ED25519_KEY_BYTES,
  ED25519_SIGNATURE_BYTES,
  keyObjectOf,
  verifyEd25519Async,
  type SigningKey,
} from './ed25519.js';
import { libsodium, MAX_SODIUM_SIGN_BYTES, MAX_SODIUM_VERIFY_BYTES } from './libsodium.js';
import { MAX_COPIED_MESSAGE_BYTES } from './shared-memory.js';
import { VERIFY_WORKER_SOURCE } from './verify-worker-source.js';

/** Options of a {@link VerifyPool}. */
export interface VerifyPoolOptions {
  /** Worker threads; default one less than the machine's cores, at least 1. */
  readonly threads?: number;
  /** Most signatures in one message to a thread; default 128. */
  readonly maxBatch?: number;
  /** Public keys that a thread remembers for Node's crypto, 1.5 KiB each; default 16,384. */
  readonly maxKeys?: number;
}

interface VerifyJob {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  readonly resolve: (good: boolean) => void;
}

interface SignJob {
  readonly key: SigningKey;
  /** What the threads know the key by. */
  readonly number: number;
  readonly message: Uint8Array;
  readonly resolve: (signature: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

type Job = VerifyJob | SignJob;

/** What a message asks a thread for; perhaps nothing but to take note of keys. */
interface Batch {
  readonly jobs: readonly Job[];
  /** Called when the thread has answered, or is gone. */
  readonly done?: () => void;
}

interface Thread {
  readonly worker: Worker;
  /** Batches that it was given and has not answered, oldest first. */
  readonly batches: Batch[];
  /** Numbers of signing keys that are not to it what they are to the pool. */
  readonly staleKeys: Set<number>;
}

/** A number, and the key that it stands for from now on; null for none. */
type KeyNote = readonly [number, KeyObject | null];

/** So that a thread has work while its answer travels. */
const BATCHES_AHEAD = 2;
/** Megabytes for new objects in a thread: a batch leaves next to nothing, and the default takes tens of them. */
const THREAD_YOUNG_MB = 4;
/** Number of a key, and length of the message. */
const JOB_HEAD_BYTES = 1 + 4;
/** Stands for the length of a message that is not in the buffer, but in shared memory. */
const SHARED_LENGTH = 0xffff_ffff;
/** Keys to sign with that a pool takes into its threads; others sign in libuv's pool. */
const MAX_SIGNING_KEYS = 255;
const NO_KEYS: readonly KeyNote[] = [];

/**
 * Verifies and makes Ed25519 signatures on worker threads, many to a message.
 *
 * Why not `crypto.verify` with a callback: it wakes a thread of libuv's pool for every single signature, which can cost
 * the main thread as much as half of the verification. Here a wake-up is shared by all signatures that were asked for in
 * one turn of the event loop, and keys are imported on the other side.
 *
 * A message of more than 256 KiB in shared memory (a view of a `SharedArrayBuffer`, see `sharedMemory`) is not copied at all;
 * one elsewhere goes to libuv's pool, which copies it once less than a message to a thread would.
 *
 * An idle pool does not keep the process alive.
 */
export class VerifyPool {
  readonly #maxBatch: number;
  readonly #wanted: number;
  readonly #maxKeys: number;
  readonly #threads: Thread[] = [];
  /** Keys that sign here; the place is the number less 1. */
  readonly #signingKeys: (SigningKey | undefined)[] = [];
  #queue: Job[] = [];
  #scheduled = false;
  #closed = false;

  constructor(options: VerifyPoolOptions = {}) {
    this.#wanted = Math.max(1, options.threads ?? availableParallelism() - 1);
    this.#maxBatch = Math.max(1, options.maxBatch ?? 128);
    this.#maxKeys = Math.max(1, options.maxKeys ?? 16_384);
  }

  /** Signatures that were asked for and are not judged or made yet. */
  get pending(): number {
    return this.#threads.reduce(
      (sum, { batches }) => sum + batches.reduce((n, { jobs }) => n + jobs.length, 0),
      this.#queue.length,
    );
  }

  /**
   * Whether the signature is the key's over the message. False for anything malformed; never rejects. The bytes are read
   * in a later turn of the event loop, and must stay as they are until the promise settles.
   */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
    return new Promise((resolve) => this.verifyThen(publicKey, message, signature, resolve));
  }

  /**
   * {@link verify} for who asks thousands of times a second: a promise for each would be most of what this costs.
   *
   * @param tell - called once, perhaps at once; must not throw
   */
  verifyThen(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array, tell: (good: boolean) => void): void {
    if (publicKey.length !== ED25519_KEY_BYTES || signature.length !== ED25519_SIGNATURE_BYTES) return tell(false);
    const job: VerifyJob = { publicKey, message, signature, resolve: tell };
    if (this.#closed || !isForThreads(message)) void doHere(job);
    else this.#add(job);
  }

  /**
   * Signs; 64 new bytes. The key goes to the threads once, and stays there until {@link forget}. The message is read in a later turn of the event loop, and must
   * stay as it is until the promise settles.
   */
  sign(key: SigningKey, message: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => this.signThen(key, message, resolve, reject));
  }

  /**
   * {@link sign} for who asks thousands of times a second.
   *
   * @param tell - one of the two is called, once, later; neither may throw
   */
  signThen(
    key: SigningKey,
    message: Uint8Array,
    tell: (signature: Uint8Array) => void,
    failed: (error: unknown) => void,
  ): void {
    const number = this.#numberOf(key);
    const isHere = this.#closed || number === undefined || !isForThreads(message);
    if (isHere) void key.signAsync(message).then(tell, failed);
    else this.#add({ key, number, message, resolve: tell, reject: failed });
  }

  /**
   * Takes a key that signs no more from the threads. What was asked of it is still signed.
   *
   * @returns when no thread holds the key; what is left of it in their memory goes with their garbage. Never rejects
   */
  async forget(key: SigningKey): Promise<void> {
    const number = this.#signingKeys.indexOf(key) + 1;
    if (number === 0) return;
    this.#signingKeys[number - 1] = undefined;
    // The number may stand for another key when these would go.
    const isOfKey = (job: Job): boolean => 'number' in job && job.number === number;
    for (const job of this.#queue.filter(isOfKey)) void doHere(job);
    this.#queue = this.#queue.filter((job) => !isOfKey(job));
    await Promise.all(
      this.#threads.map(
        (thread) =>
          new Promise<void>((resolve) => {
            thread.staleKeys.add(number);
            this.#give(thread, { jobs: [], done: resolve });
          }),
      ),
    );
  }

  /** Ends the threads. What is under way, and what comes later, is verified without them. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    const threads = this.#threads.splice(0);
    const given = threads.flatMap(({ batches }) => batches.splice(0));
    const left = [...given.flatMap(({ jobs }) => jobs), ...this.#queue.splice(0)];
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
    for (const { done } of given) done?.();
    await Promise.all(left.map(doHere));
  }

  #numberOf(key: SigningKey): number | undefined {
    const at = this.#signingKeys.indexOf(key);
    if (at >= 0) return at + 1;
    const free = this.#signingKeys.indexOf(undefined);
    const number = (free >= 0 ? free : this.#signingKeys.length) + 1;
    if (number > MAX_SIGNING_KEYS) return undefined;
    this.#signingKeys[number - 1] = key;
    for (const { staleKeys } of this.#threads) staleKeys.add(number);
    return number;
  }

  #add(job: Job): void {
    this.#queue.push(job);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      let thread: Thread | undefined;
      try {
        thread = this.#idlest();
      } catch {
        // No thread can be started: the pool of libuv does the work.
        for (const job of this.#queue.splice(0)) void doHere(job);
      }
      if (thread === undefined) return;
      this.#give(thread, { jobs: this.#queue.splice(0, batchOf(this.#queue, this.#maxBatch)) });
    }
  }

  #give(thread: Thread, batch: Batch): void {
    const { jobs } = batch;
    const { buffer, resultBytes } = pack(jobs);
    const shared = jobs.map(({ message }) => message).filter(isLong);
    if (thread.batches.length === 0) thread.worker.ref();
    thread.batches.push(batch);
    thread.worker.postMessage({ buffer, count: jobs.length, resultBytes, keys: this.#keysFor(thread), shared }, [
      buffer,
    ]);
  }

  /** What a thread has yet to learn of the signing keys. */
  #keysFor({ staleKeys }: Thread): readonly KeyNote[] {
    if (staleKeys.size === 0) return NO_KEYS;
    const notes = [...staleKeys].map((number): KeyNote => {
      const key = this.#signingKeys[number - 1];
      return [number, key === undefined ? null : keyObjectOf(key)];
    });
    staleKeys.clear();
    return notes;
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
      workerData: {
        maxKeys: this.#maxKeys,
        sodiumPath: libsodium()?.path,
        maxSodiumVerifyBytes: MAX_SODIUM_VERIFY_BYTES,
        maxSodiumSignBytes: MAX_SODIUM_SIGN_BYTES,
      },
      resourceLimits: { maxYoungGenerationSizeMb: THREAD_YOUNG_MB },
    });
    const staleKeys = new Set(this.#signingKeys.flatMap((key, i) => (key === undefined ? [] : [i + 1])));
    const thread: Thread = { worker, batches: [], staleKeys };
    worker.on('message', (results: Uint8Array) => this.#answered(thread, results));
    // A thread that dies takes nothing with it: its jobs are done here, and the next batch starts another thread.
    worker.on('error', () => this.#lost(thread));
    worker.on('exit', () => this.#lost(thread));
    worker.unref();
    this.#threads.push(thread);
    return thread;
  }

  #answered(thread: Thread, results: Uint8Array): void {
    const batch = thread.batches.shift();
    // The thread is being ended: who waits for that must not be left by a process in which nothing else goes on.
    if (batch === undefined) return;
    if (thread.batches.length === 0) thread.worker.unref();
    this.#dispatch();
    settle(batch.jobs, results);
    batch.done?.();
  }

  #lost(thread: Thread): void {
    const at = this.#threads.indexOf(thread);
    if (at >= 0) this.#threads.splice(at, 1);
    for (const { jobs, done } of thread.batches.splice(0)) {
      for (const job of jobs) void doHere(job);
      done?.();
    }
    if (!this.#closed) this.#dispatch();
  }
}

/** Tells each job its result. */
function settle(jobs: readonly Job[], results: Uint8Array): void {
  let at = 0;
  for (const job of jobs) {
    const good = results[at++] === 1;
    if (!('number' in job)) {
      job.resolve(good);
      continue;
    }
    const end = at + ED25519_SIGNATURE_BYTES;
    if (good) job.resolve(results.slice(at, end));
    else void doHere(job);
    at = end;
  }
}

/** Does a job in libuv's pool. */
async function doHere(job: Job): Promise<void> {
  if (!('number' in job)) {
    job.resolve(await verifyEd25519Async(job.publicKey, job.message, job.signature));
    return;
  }
  await job.key.signAsync(job.message).then(job.resolve, job.reject);
}

function isLong(message: Uint8Array): boolean {
  return message.length > MAX_COPIED_MESSAGE_BYTES;
}

/** Whether threads take such a message. */
function isForThreads(message: Uint8Array): boolean {
  return !isLong(message) || message.buffer instanceof SharedArrayBuffer;
}

/** How many of these jobs make the next batch: a long one goes alone, so that no others wait for it in vain. */
function batchOf(jobs: readonly Job[], most: number): number {
  const long = jobs.slice(0, most).findIndex(({ message }) => isLong(message));
  return long < 0 ? most : Math.max(1, long);
}

function pack(jobs: readonly Job[]): { readonly buffer: ArrayBuffer; readonly resultBytes: number } {
  let size = 0;
  let resultBytes = 0;
  for (const job of jobs) {
    const signs = 'number' in job;
    size +=
      JOB_HEAD_BYTES +
      (isLong(job.message) ? 0 : job.message.length) +
      (signs ? 0 : ED25519_KEY_BYTES + ED25519_SIGNATURE_BYTES);
    resultBytes += signs ? 1 + ED25519_SIGNATURE_BYTES : 1;
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const job of jobs) {
    const { message } = job;
    const isShared = isLong(message);
    const length = isShared ? SHARED_LENGTH : message.length;
    const signs = 'number' in job;
    bytes[at++] = signs ? job.number : 0;
    bytes[at++] = length >>> 24;
    bytes[at++] = length >>> 16;
    bytes[at++] = length >>> 8;
    bytes[at++] = length;
    if (!isShared) {
      bytes.set(message, at);
      at += length;
    }
    if (signs) continue;
    bytes.set(job.publicKey, at);
    bytes.set(job.signature, at + ED25519_KEY_BYTES);
    at += ED25519_KEY_BYTES + ED25519_SIGNATURE_BYTES;
  }
  return { buffer: bytes.buffer, resultBytes };
}
