import { once } from 'node:events';
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { type ed25519Library } from '@discovery-raft/psp-pki';

/** Who verifies: as the nodes do, with libsodium where it is installed, or Node's own crypto. */
export type Verifier = ReturnType<typeof ed25519Library>;

/** How often Ed25519 signatures are verified when nothing else is done. */
export interface VerificationRate {
  readonly perSecond: number;
  /** Per second of user and system time, of all threads together. */
  readonly perCpuSecond: number;
}

/** One key, one message of 300 bytes, in a loop: what a bench compares with, so nothing but the verification. */
const LOOP = `
const { parentPort, workerData } = require('node:worker_threads');
const { generateKeyPairSync, sign, verify } = require('node:crypto');
const { seconds, sodiumPath } = workerData;
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const message = Buffer.alloc(300, 1);
const signature = sign(null, message, privateKey);
const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x, 'base64url');
const sodium = sodiumPath === undefined ? undefined : require(sodiumPath);
const isGood =
  sodium === undefined
    ? () => verify(null, message, publicKey, signature)
    : () => sodium.crypto_sign_verify_detached(signature, message, raw);
const run = (seconds) => {
  let done = 0;
  for (const end = performance.now() + 1000 * seconds; performance.now() < end; done++) {
    if (!isGood()) throw new Error('it must verify');
  }
  return done;
};
run(0.2);
parentPort.on('message', () => parentPort.postMessage(run(seconds)));
parentPort.postMessage('ready');
`;

/** Verifies on so many threads for so long. */
export async function rawVerifications(
  verifier: Verifier,
  threads: number,
  seconds: number,
): Promise<VerificationRate> {
  const sodiumPath = verifier === 'libsodium' ? createRequire(import.meta.url).resolve('sodium-native') : undefined;
  const workers = Array.from(
    { length: threads },
    () => new Worker(LOOP, { eval: true, workerData: { seconds, sodiumPath } }),
  );
  try {
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    const cpu = process.cpuUsage();
    const began = performance.now();
    const counts = workers.map(async (worker) => {
      worker.postMessage('go');
      const [count] = (await once(worker, 'message')) as [number];
      return count;
    });
    const done = (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
    const { user, system } = process.cpuUsage(cpu);
    return {
      perSecond: done / ((performance.now() - began) / 1000),
      perCpuSecond: done / ((user + system) / 1e6),
    };
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}
