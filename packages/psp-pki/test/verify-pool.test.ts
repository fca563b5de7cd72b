import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

import { keyObjectOf } from '../src/ed25519.js';
import { CertificateVerifier, sharedMemory, SigningKey, VerifyPool } from '../src/index.js';
import { VERIFY_WORKER_SOURCE } from '../src/verify-worker-source.js';
import { ANNA, BERT, CLEO, RELAY, ROOT, keyOf, regular } from './network.js';
import { NOW } from './vectors.js';

interface Signed {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  readonly good: boolean;
}

/** Messages of many lengths by several keys; every third signature is bad in one of four ways. */
function signedMessages(count: number): Signed[] {
  const keys = [0, 1, 2, 3, 4].map((i) => keyOf(`pool ${String(i)}`));
  return Array.from({ length: count }, (_, i) => {
    const key = keys[i % keys.length]!;
    const message = new Uint8Array((i * 37) % 1500).fill(i);
    const signature = key.sign(message);
    if (i % 3 !== 0) return { publicKey: key.publicKey, message, signature, good: true };
    const bad: Omit<Signed, 'good'>[] = [
      { publicKey: key.publicKey, message, signature: new Uint8Array(64) },
      { publicKey: keys[(i + 1) % keys.length]!.publicKey, message, signature },
      { publicKey: key.publicKey, message: Uint8Array.of(...message, 1), signature },
      { publicKey: new Uint8Array(32).fill(0xff), message, signature },
    ];
    return { ...bad[(i / 3) % bad.length]!, good: false };
  });
}

async function verdictsOf(pool: VerifyPool, signed: readonly Signed[]): Promise<boolean[]> {
  return Promise.all(signed.map(({ publicKey, message, signature }) => pool.verify(publicKey, message, signature)));
}

/** Has a thread sign with a number; null when it has no key for it. */
async function signedInThread(worker: Worker, keys: readonly unknown[], number: number): Promise<Uint8Array | null> {
  const job = Uint8Array.of(number, 0, 0, 0, 1, 42);
  worker.postMessage({ buffer: job.buffer, count: 1, resultBytes: 65, keys }, [job.buffer]);
  const [results] = (await once(worker, 'message')) as [Uint8Array];
  return results[0] === 1 ? results.slice(1) : null;
}

test('a thread signs with the key that a number stands for, and with none that it was told to forget', async () => {
  const worker = new Worker(VERIFY_WORKER_SOURCE, { eval: true, workerData: { maxKeys: 1 } });
  const [first, second] = [keyOf('first'), keyOf('second')];
  expect(await signedInThread(worker, [], 1)).toBeNull();
  expect(await signedInThread(worker, [[1, keyObjectOf(first)]], 1)).toEqual(first.sign(Uint8Array.of(42)));
  expect(await signedInThread(worker, [[1, null]], 1)).toBeNull();
  expect(await signedInThread(worker, [[1, keyObjectOf(second)]], 1)).toEqual(second.sign(Uint8Array.of(42)));
  await worker.terminate();
});

describe('VerifyPool', () => {
  let pool: VerifyPool;

  afterEach(async () => {
    jest.restoreAllMocks();
    await pool.close();
  });

  it.each([
    ['one thread', { threads: 1 }],
    ['two threads', { threads: 2, maxBatch: 7 }],
    ['batches of one', { threads: 1, maxBatch: 1 }],
  ])('gives each caller the verdict of its own signature: %s', async (_what, options) => {
    pool = new VerifyPool(options);
    const signed = signedMessages(200);
    const verdicts = verdictsOf(pool, signed);
    expect(pool.pending).toBe(200);
    expect(await verdicts).toEqual(signed.map(({ good }) => good));
    expect(pool.pending).toBe(0);
  });

  it('reads long messages where they lie in shared memory, beside others', async () => {
    pool = new VerifyPool({ threads: 1, maxBatch: 7 });
    const key = keyOf('pool long');
    const long = sharedMemory(600_000).subarray(1000, 501_000).fill(7);
    const short = new Uint8Array(new SharedArrayBuffer(100)).fill(8);
    const posted = jest.spyOn(Worker.prototype, 'postMessage');
    const signatures = await Promise.all([long, short, long].map((message) => pool.sign(key, message)));
    expect(signatures).toEqual([long, short, long].map((message) => key.sign(message)));
    const signed = signedMessages(40);
    const ask = (message: Uint8Array, at: number): Promise<boolean> =>
      pool.verify(key.publicKey, message, signatures[at]!);
    const verdicts = Promise.all([ask(long, 0), verdictsOf(pool, signed), ask(long, 1), ask(short, 1), ask(long, 2)]);
    expect(await verdicts).toEqual([true, signed.map(({ good }) => good), false, true, true]);
    const copied = posted.mock.calls.map(([message]) => (message as { buffer: ArrayBuffer }).buffer.byteLength);
    expect(Math.max(...copied)).toBeLessThan(100_000);
    expect(posted.mock.calls.filter(([message]) => (message as { shared: unknown[] }).shared.length > 0)).toHaveLength(
      5,
    );
  });

  it('gives shared memory to long messages only, and zeroed', () => {
    expect([0, 262_144, 262_145].map((bytes) => sharedMemory(bytes).buffer instanceof SharedArrayBuffer)).toEqual([
      false,
      false,
      true,
    ]);
    expect(sharedMemory(300_000)).toEqual(new Uint8Array(300_000));
  });

  it('refuses keys and signatures of another length at once', async () => {
    pool = new VerifyPool({ threads: 1 });
    const [{ publicKey, message, signature }] = signedMessages(2).slice(1) as [Signed];
    expect(await pool.verify(publicKey.subarray(1), message, signature)).toBe(false);
    expect(await pool.verify(publicKey, message, signature.subarray(1))).toBe(false);
    expect(await pool.verify(publicKey, message, new Uint8Array(65))).toBe(false);
  });

  it('more keys than a thread remembers', async () => {
    pool = new VerifyPool({ threads: 1, maxKeys: 16 });
    const message = Buffer.from('a message');
    const keys = Array.from({ length: 40 }, () => SigningKey.generate());
    const signatures = keys.map((key) => key.sign(message));
    const verify = (i: number): Promise<boolean> => pool.verify(keys[i]!.publicKey, message, signatures[i]!);
    const order = [...keys.keys(), 0, 1, 39];
    expect((await Promise.all(order.map(verify))).every(Boolean)).toBe(true);
    expect(await pool.verify(keys[0]!.publicKey, message, signatures[1]!)).toBe(false);
  });

  it('settles what is under way when it is closed, and verifies what comes later', async () => {
    pool = new VerifyPool({ threads: 1, maxBatch: 4 });
    const signed = signedMessages(60);
    const before = verdictsOf(pool, signed);
    await new Promise((resolve) => setImmediate(resolve));
    await pool.close();
    const expected = signed.map(({ good }) => good);
    expect(await before).toEqual(expected);
    expect(await verdictsOf(pool, signed)).toEqual(expected);
    await pool.close();
  });

  it('keeps the process alive until its threads have ended, also when one answers meanwhile', async () => {
    pool = new VerifyPool({ threads: 1 });
    const posted = jest.spyOn(Worker.prototype, 'postMessage');
    const [{ publicKey, message, signature }] = signedMessages(2).slice(1) as [Signed];
    const verdict = pool.verify(publicKey, message, signature);
    await new Promise((resolve) => setImmediate(resolve));
    const worker = posted.mock.contexts[0] as Worker;
    const closed = pool.close();
    const unref = jest.spyOn(Worker.prototype, 'unref');
    worker.emit('message', Uint8Array.of(1));
    await closed;
    expect(unref).not.toHaveBeenCalled();
    expect(await verdict).toBe(true);
  });

  it('loses no verdict to a thread that dies, and goes on with another', async () => {
    pool = new VerifyPool({ threads: 1 });
    const posted = jest.spyOn(Worker.prototype, 'postMessage').mockImplementationOnce(function (this: Worker) {
      void this.terminate();
    });
    const signed = signedMessages(90);
    const expected = signed.map(({ good }) => good);
    expect(await verdictsOf(pool, signed)).toEqual(expected);
    expect(await verdictsOf(pool, signed)).toEqual(expected);
    expect(posted.mock.contexts.at(-1)).not.toBe(posted.mock.contexts[0]);
  });

  it('signs among verifications, as the key itself does, also with a key that comes later', async () => {
    pool = new VerifyPool({ threads: 2, maxBatch: 7 });
    const signed = signedMessages(50);
    const verdicts = verdictsOf(pool, signed);
    for (const name of ['first', 'second']) {
      const key = keyOf(name);
      const signatures = await Promise.all(signed.map(({ message }) => pool.sign(key, message)));
      expect(signatures).toEqual(signed.map(({ message }) => key.sign(message)));
    }
    expect(await verdicts).toEqual(signed.map(({ good }) => good));
  });

  it('signs with more keys than its threads take, when it is closed, and when a thread dies', async () => {
    pool = new VerifyPool({ threads: 1 });
    const message = Buffer.from('a message');
    const keys = Array.from({ length: 300 }, (_, i) => keyOf(`signer ${String(i)}`));
    const expected = keys.map((key) => key.sign(message));
    const signAll = (): Promise<Uint8Array[]> => Promise.all(keys.map((key) => pool.sign(key, message)));
    jest.spyOn(Worker.prototype, 'postMessage').mockImplementationOnce(function (this: Worker) {
      void this.terminate();
    });
    expect(await signAll()).toEqual(expected);
    expect(await signAll()).toEqual(expected);
    const underWay = signAll();
    await pool.close();
    expect(await underWay).toEqual(expected);
    expect(await signAll()).toEqual(expected);
  });

  it('forgets a key: its number stands for nothing in the threads, then for the next key, and what was asked is signed', async () => {
    pool = new VerifyPool({ threads: 2, maxBatch: 3 });
    const posted = jest.spyOn(Worker.prototype, 'postMessage');
    const message = Buffer.from('a message');
    const messages = Array.from({ length: 30 }, (_, i) => Buffer.from(`message ${String(i)}`));
    const [old, other, next] = [keyOf('old'), keyOf('other'), keyOf('next')];
    await Promise.all([pool.sign(old, message), pool.sign(other, message), pool.sign(old, message)]);
    const signAll = (key: SigningKey): Promise<Uint8Array[]> => Promise.all(messages.map((one) => pool.sign(key, one)));
    const sent = signAll(old);
    await new Promise((resolve) => setImmediate(resolve));
    const waiting = signAll(old);
    posted.mockClear();
    const forgotten = pool.forget(old);
    const threads = new Set(posted.mock.contexts);
    expect(posted.mock.calls.map(([{ keys }]) => keys as unknown)).toEqual(Array(threads.size).fill([[1, null]]));
    const after = Promise.all([signAll(next), signAll(other)]);
    await forgotten;
    const expectedOf = (key: SigningKey): Uint8Array[] => messages.map((one) => key.sign(one));
    expect(await sent).toEqual(expectedOf(old));
    expect(await waiting).toEqual(expectedOf(old));
    expect(await after).toEqual([expectedOf(next), expectedOf(other)]);
    const told = posted.mock.calls.flatMap(([{ keys }]) => keys as [number, unknown][]);
    const numbers = told.filter(([, key]) => key !== null).map(([number]) => number);
    expect(new Set(numbers)).toEqual(new Set([1]));
    expect(await signAll(old)).toEqual(expectedOf(old));
    expect(pool.pending).toBe(0);
  });

  it('forgets at once what no thread has, also when it is closed or a thread dies', async () => {
    pool = new VerifyPool({ threads: 1 });
    await pool.forget(keyOf('a stranger'));
    const key = keyOf('own');
    await pool.sign(key, Buffer.from('a message'));
    jest.spyOn(Worker.prototype, 'postMessage').mockImplementationOnce(function (this: Worker) {
      void this.terminate();
    });
    await pool.forget(key);
    await pool.sign(key, Buffer.from('a message'));
    await Promise.all([pool.forget(key), pool.close()]);
    await pool.forget(key);
    expect(await pool.sign(key, Buffer.from('a message'))).toEqual(key.sign(Buffer.from('a message')));
  });

  it('serves a verifier, which comes to the same verdicts as without it', async () => {
    pool = new VerifyPool({ threads: 1 });
    const verifier = new CertificateVerifier({ root: ROOT, pool });
    const good = regular(RELAY, [ANNA, BERT, CLEO]);
    const message = Buffer.from('a message');
    expect(await verifier.verifySignatureAsync(good, message, RELAY.key.sign(message), NOW)).toEqual({ ok: true });
    const forged = await verifier.verifySignatureAsync(good, message, new Uint8Array(64), NOW);
    expect(forged).toMatchObject({ code: 'PKI_BAD_MESSAGE_SIGNATURE' });
    expect(verifier.stats.signatureChecks).toBe(4 + 3 + 2);
  });
});
