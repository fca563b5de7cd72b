import { ed25519Library, SigningKey, verifyEd25519, VerifyPool } from '../src/index.js';
import { edgeCases } from './ed25519-edges.js';

jest.mock('../src/libsodium.js', () => ({
  ...jest.requireActual<object>('../src/libsodium.js'),
  libsodium: () => undefined,
  ed25519Library: () => 'node:crypto',
}));

test('without libsodium, verdicts and signatures are the same', async () => {
  expect(ed25519Library()).toBe('node:crypto');
  const pool = new VerifyPool({ threads: 1 });
  try {
    for (const { publicKey, message, signature, isGood } of edgeCases) {
      expect(verifyEd25519(publicKey, message, signature)).toBe(isGood);
      expect(await pool.verify(publicKey, message, signature)).toBe(isGood);
    }
    const key = SigningKey.fromSeed(new Uint8Array(32).fill(1));
    const message = Uint8Array.of(0x72);
    // By libsodium, of the same seed and message.
    const theirs = 'PGnoVoQoODrVTeJg80GrRrz+3jSQzusjLVJxBoMLEsbRYeIbjOuu3Ih2GtLkjozLPlApZ/28p6SPvf+wirmPBA==';
    expect(Buffer.from(key.sign(message)).toString('base64')).toBe(theirs);
    expect(Buffer.from(await pool.sign(key, message)).toString('base64')).toBe(theirs);
  } finally {
    await pool.close();
  }
});
