/**
 * The program of a worker thread of {@link VerifyPool}, as text: so the package needs no second entry file that bundlers
 * would have to know of.
 *
 * A message is a buffer of jobs, each `public key 32 | signature 64 | message length 4 | message`, and their number. The
 * answer is one byte a job, 1 for a good signature. Keys that were imported are kept, up to a bound.
 */
export const VERIFY_WORKER_SOURCE = `'use strict';
const { parentPort } = require('node:worker_threads');
const { createPublicKey, verify } = require('node:crypto');
const MAX_KEYS = 1024;
const keys = new Map();
function keyOf(bytes) {
  const x = bytes.toString('base64url');
  let key = keys.get(x);
  if (key === undefined) {
    key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    if (keys.size >= MAX_KEYS) keys.delete(keys.keys().next().value);
    keys.set(x, key);
  }
  return key;
}
function judge(key, message, signature) {
  try {
    return verify(null, message, keyOf(key), signature) ? 1 : 0;
  } catch {
    return 0;
  }
}
parentPort.on('message', ({ buffer, count }) => {
  const bytes = Buffer.from(buffer);
  const results = new Uint8Array(count);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const length = bytes.readUInt32BE(at + 96);
    const end = at + 100 + length;
    results[i] = judge(bytes.subarray(at, at + 32), bytes.subarray(at + 100, end), bytes.subarray(at + 32, at + 96));
    at = end;
  }
  parentPort.postMessage(results, [results.buffer]);
});
`;
