/**
 * The program of a worker thread of {@link VerifyPool}, as text: so the package needs no second entry file that bundlers
 * would have to know of.
 *
 * A message is a buffer of jobs, their number, the bytes of their results, and what is new of the keys to sign with: numbers,
 * and the key that each stands for from now on, or null for none. A job is `number of a key 1 | message length 4 | message`,
 * for number 0 followed by `public key 32 | signature 64`, which are to be verified. A message of length 2^32 - 1 is not
 * there: it is the next of those in shared memory, which come beside the buffer. The results are one byte a job, 1 when it is good, and the signature after it
 * for a job that signs. libsodium is used as in `libsodium.ts`, from the file that `workerData` names. Public keys that were
 * imported for Node's crypto are kept, up to a bound (1.5 KiB each): whoever publishes comes
 * again and again, and importing costs a twelfth of a verification.
 */
export const VERIFY_WORKER_SOURCE = `'use strict';
const { parentPort, workerData } = require('node:worker_threads');
const { createPublicKey, sign, verify } = require('node:crypto');
const { maxKeys, sodiumPath, maxSodiumVerifyBytes, maxSodiumSignBytes } = workerData;
const sodium = sodiumPath === undefined ? undefined : require(sodiumPath);
const publicKeys = new Map();
const signingKeys = [];
function keyOf(bytes) {
  const name = bytes.toString('latin1');
  let key = publicKeys.get(name);
  if (key === undefined) {
    key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: bytes.toString('base64url') }, format: 'jwk' });
    if (publicKeys.size >= maxKeys) publicKeys.delete(publicKeys.keys().next().value);
    publicKeys.set(name, key);
  }
  return key;
}
function judge(publicKey, message, signature) {
  try {
    const isSodiums = sodium !== undefined && message.length <= maxSodiumVerifyBytes;
    if (isSodiums && sodium.crypto_sign_verify_detached(signature, message, publicKey)) return 1;
    return verify(null, message, keyOf(publicKey), signature) ? 1 : 0;
  } catch {
    return 0;
  }
}
function signingKeyOf(object) {
  if (sodium === undefined) return { object };
  const secret = Buffer.allocUnsafeSlow(64);
  sodium.crypto_sign_seed_keypair(Buffer.alloc(32), secret, Buffer.from(object.export({ format: 'jwk' }).d, 'base64url'));
  return { object, secret };
}
function signInto(results, at, key, message) {
  try {
    if (key.secret !== undefined && message.length <= maxSodiumSignBytes)
      sodium.crypto_sign_detached(results.subarray(at + 1, at + 65), message, key.secret);
    else results.set(sign(null, message, key.object), at + 1);
    return 1;
  } catch {
    return 0;
  }
}
parentPort.on('message', ({ buffer, count, resultBytes, keys, shared }) => {
  for (const [number, key] of keys) signingKeys[number] = key === null ? undefined : signingKeyOf(key);
  const bytes = Buffer.from(buffer);
  const results = new Uint8Array(resultBytes);
  let at = 0;
  let to = 0;
  let sharedAt = 0;
  for (let i = 0; i < count; i++) {
    const number = bytes[at];
    const length = bytes.readUInt32BE(at + 1);
    const isShared = length === 0xffffffff;
    const end = at + 5 + (isShared ? 0 : length);
    const message = isShared ? shared[sharedAt++] : bytes.subarray(at + 5, end);
    if (number === 0) {
      results[to++] = judge(bytes.subarray(end, end + 32), message, bytes.subarray(end + 32, end + 96));
      at = end + 96;
    } else {
      results[to] = signInto(results, to, signingKeys[number], message);
      to += 65;
      at = end;
    }
  }
  parentPort.postMessage(results, [results.buffer]);
});
`;
