import { ed25519Library, SigningKey, VerifyPool } from '@discovery-raft/psp-pki';
import type { Bench } from '../bench.js';
import { rawVerifications } from '../network/raw-verifications.js';
import { median } from '../rate.js';

const IN_FLIGHT = 512;
const KEYS = 1000;

/** Verifications per second of a pool that many ask at once, of messages by a thousand keys. */
async function pooled(pool: VerifyPool, seconds: number): Promise<number> {
  const jobs = Array.from({ length: KEYS }, (_, i) => {
    const key = SigningKey.fromSeed(
      new Uint8Array(32)
        .fill(1)
        .with(0, i)
        .with(1, i >> 8),
    );
    const message = new Uint8Array(300).fill(i);
    return { publicKey: key.publicKey, message, signature: key.sign(message) };
  });
  const began = performance.now();
  const end = began + 1000 * seconds;
  let done = 0;
  const work = async (): Promise<void> => {
    while (performance.now() < end) {
      const { publicKey, message, signature } = jobs[done++ % KEYS]!;
      if (!(await pool.verify(publicKey, message, signature))) throw new Error('it must verify');
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
  return done / ((performance.now() - began) / 1000);
}

/** The pool that a node verifies on, with so many threads; beside it, one thread that does nothing but verify. */
function threads(count: number): Bench {
  return {
    name: `verify-pool/threads/${count}`,
    unit: 'verification/s',
    run: async ({ effort: { seconds, repeats } }) => {
      const pool = new VerifyPool({ threads: count });
      try {
        await pooled(pool, 0.3);
        const ours: number[] = [];
        const raw: number[] = [];
        for (let repeat = 0; repeat < repeats; repeat++) {
          ours.push(await pooled(pool, seconds));
          raw.push((await rawVerifications(ed25519Library(), 1, seconds)).perSecond);
        }
        return { value: median(ours), baseline: median(raw) };
      } finally {
        await pool.close();
      }
    },
  };
}

export default [threads(1), threads(2)];
