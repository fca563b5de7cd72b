import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { createRequire } from 'node:module';
import * as fc from 'fast-check';

import { ed25519Library, SigningKey, verifyEd25519, VerifyPool } from '../src/index.js';
import { Libsodium, libsodium, MAX_SODIUM_SIGN_BYTES, MAX_SODIUM_VERIFY_BYTES } from '../src/libsodium.js';
import { edgeCases } from './ed25519-edges.js';

const sodium = libsodium()!;
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const raw = new Uint8Array(Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url'));
const seed = new Uint8Array(Buffer.from(privateKey.export({ format: 'jwk' }).d!, 'base64url'));

/** A `require` that finds this in place of sodium-native. */
function finds(native: object | Error): () => NodeJS.Require {
  const load = (): unknown => {
    if (native instanceof Error) throw native;
    return native;
  };
  return () => Object.assign(load, { resolve: () => 'sodium-native' }) as unknown as NodeJS.Require;
}

test('the daemon brings libsodium, and it is used', () => {
  expect(ed25519Library()).toBe('libsodium');
});

test.each(edgeCases)('the network, libsodium and threads agree on: $name', async (edge) => {
  const x = Buffer.from(edge.publicKey).toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  expect(verify(null, edge.message, key, edge.signature)).toBe(edge.isGood);
  expect(verifyEd25519(edge.publicKey, edge.message, edge.signature)).toBe(edge.isGood);
  const pool = new VerifyPool({ threads: 1 });
  try {
    expect(await pool.verify(edge.publicKey, edge.message, edge.signature)).toBe(edge.isGood);
  } finally {
    await pool.close();
  }
  // What it accepts is final, so it may be stricter, and never more lenient.
  if (!edge.isGood) expect(sodium.accepts(edge.publicKey, edge.message, edge.signature)).toBe(false);
});

test('libsodium is stricter with keys of small order, which is why it has not the last word', () => {
  const refused = edgeCases.filter(
    (edge) => edge.isGood && !sodium.accepts(edge.publicKey, edge.message, edge.signature),
  );
  expect(refused.length).toBeGreaterThan(0);
});

test('libsodium signs as Node does, and judges as Node does when a bit is turned', () => {
  const secret = sodium.secretOf(seed);
  const message = fc.uint8Array({ maxLength: 500 });
  fc.assert(
    fc.property(message, fc.nat(511), (bytes, bit) => {
      const signature = sodium.sign(secret, bytes)!;
      expect(signature).toEqual(new Uint8Array(sign(null, bytes, privateKey)));
      expect(sodium.accepts(raw, bytes, signature)).toBe(true);
      signature[bit >> 3]! ^= 1 << (bit & 7);
      expect(sodium.accepts(raw, bytes, signature)).toBe(false);
    }),
  );
});

test('long messages are left to Node, which hashes faster', () => {
  const key = SigningKey.fromSeed(seed);
  const secret = sodium.secretOf(seed);
  for (const length of [MAX_SODIUM_SIGN_BYTES, MAX_SODIUM_VERIFY_BYTES]) {
    const [fits, longer] = [new Uint8Array(length).fill(3), new Uint8Array(length + 1).fill(3)];
    for (const message of [fits, longer]) {
      expect(key.sign(message)).toEqual(new Uint8Array(sign(null, message, privateKey)));
      expect(verifyEd25519(raw, message, key.sign(message))).toBe(true);
    }
    const isOfSign = length === MAX_SODIUM_SIGN_BYTES;
    expect(sodium.sign(secret, fits) !== undefined).toBe(isOfSign);
    expect(sodium.sign(secret, longer)).toBeUndefined();
    expect(sodium.accepts(raw, longer, key.sign(longer))).toBe(isOfSign);
  }
});

test('shared memory never reaches libsodium, whose addon cannot read it', () => {
  const key = SigningKey.fromSeed(seed);
  const shared = (bytes: Uint8Array): Uint8Array => {
    const view = new Uint8Array(new SharedArrayBuffer(bytes.length));
    view.set(bytes);
    return view;
  };
  const message = new Uint8Array(100).fill(5);
  const signature = key.sign(message);
  expect(key.sign(shared(message))).toEqual(signature);
  expect(sodium.sign(sodium.secretOf(seed), shared(message))).toBeUndefined();
  for (const [k, m, s] of [
    [shared(raw), message, signature],
    [raw, shared(message), signature],
    [raw, message, shared(signature)],
  ] as const) {
    expect(sodium.accepts(k, m, s)).toBe(false);
    expect(verifyEd25519(k, m, s)).toBe(true);
  }
});

describe('not used', () => {
  const native = createRequire(__filename)('sodium-native') as Record<string, unknown>;

  test('when it is not installed, or not made for this machine', () => {
    expect(Libsodium.load(finds(new Error('no addon for this machine')))).toBeUndefined();
    expect(Libsodium.load(finds({}))).toBeUndefined();
  });

  test('in a bundle that does not know where it is', () => {
    expect(Libsodium.load(() => createRequire(undefined as unknown as string))).toBeUndefined();
  });

  test('when it takes the cofactored equation, or a number that is not reduced', () => {
    expect(Libsodium.load(finds(native))).toBeDefined();
    const accepts = native['crypto_sign_verify_detached'] as (s: Uint8Array, m: Uint8Array, k: Uint8Array) => boolean;
    const judged: boolean[] = [];
    const recorded = (...of: Parameters<typeof accepts>): boolean => {
      judged.push(accepts(...of));
      return judged.at(-1)!;
    };
    Libsodium.load(finds({ ...native, crypto_sign_verify_detached: recorded }));
    expect(judged).toEqual([true, false, false, false]);
    for (const lenient of judged.keys()) {
      let asked = 0;
      const wrong = (...of: Parameters<typeof accepts>): boolean => (asked++ === lenient) !== accepts(...of);
      expect(Libsodium.load(finds({ ...native, crypto_sign_verify_detached: wrong }))).toBeUndefined();
    }
  });
});

test('who plays a whole network can have more keys that sign than the kernel has maps of memory for', () => {
  const message = Uint8Array.of(1);
  const keys = Array.from({ length: 20_000 }, (_, i) => {
    const key = SigningKey.fromSeed(new Uint8Array(32).fill(i).with(0, i >> 8));
    expect(key.sign(message)).toHaveLength(64);
    return key;
  });
  expect(verifyEd25519(keys[0]!.publicKey, message, keys[0]!.sign(message))).toBe(true);
});
