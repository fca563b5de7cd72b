import fc from 'fast-check';

import {
  CertificateVerifier,
  PkiError,
  buildCertificate,
  buildSignedMessage,
  createIdentity,
  createTrustRoot,
  decodeBase58,
  encodeBase58,
  formatIdentity,
  parseCertificate,
  parseIdentity,
  parseRsaPayload,
  parseSignedMessage,
  peekCertificateIdentity,
  peekSignedMessage,
  verifySignedMessage,
  type Verdict,
} from '../src/index.js';
import { ANNA, BERT, CLEO, RELAY, regular } from './network.js';
import { NOW, fromHex, identityOfSeed, vectors } from './vectors.js';

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

/** The textbook way, by long division: slow, and plainly right. */
function naiveBase58(bytes: Uint8Array): string {
  let value = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  let text = '';
  for (; value > 0n; value /= 58n) text = ALPHABET.charAt(Number(value % 58n)) + text;
  const zeros = bytes.findIndex((byte) => byte !== 0);
  return '1'.repeat(zeros === -1 ? bytes.length : zeros) + text;
}

const bytesUpTo = (maxLength: number) => fc.uint8Array({ maxLength });
const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
const signature = fc.uint8Array({ minLength: 64, maxLength: 64 });
const name = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/);
const type = fc.constantFrom('account' as const, 'node' as const);
const identityParts = fc.record({ namespace: name, subNamespace: name, type, publicKey: key });
const seconds = fc.maxSafeNat();

/** Whether the parser either reads the bytes or says why not, in the one way it may. */
function readsOrRefuses(parse: () => unknown): boolean {
  try {
    parse();
    return true;
  } catch (error) {
    return error instanceof PkiError;
  }
}

describe('base58', () => {
  it('is what long division gives, and comes back', () => {
    const withZeros = fc
      .tuple(fc.nat(4), bytesUpTo(124))
      .map(([zeros, bytes]) => Uint8Array.of(...new Uint8Array(zeros), ...bytes));
    fc.assert(
      fc.property(withZeros, (bytes) => {
        const text = encodeBase58(bytes);
        expect(text).toBe(naiveBase58(bytes));
        expect(decodeBase58(text)).toEqual(bytes);
      }),
      { numRuns: 500 },
    );
  });

  it('has one text for every byte string', () => {
    const text = fc.string({ unit: fc.constantFrom(...ALPHABET), maxLength: 170 });
    fc.assert(fc.property(text, (digits) => encodeBase58(decodeBase58(digits)) === digits));
  });

  it.each(['0', 'O', 'I', 'l', ' ', '\n', '\u00e9', '\u{1f600}', '\0'])('refuses %j', (alien) => {
    expect(() => decodeBase58(`2g${alien}`)).toThrow(expect.objectContaining({ code: 'PKI_BASE58' }));
  });

  it('is bounded in both directions', () => {
    expect(encodeBase58(new Uint8Array(128).fill(255))).toHaveLength(175);
    expect(() => encodeBase58(new Uint8Array(129))).toThrow(expect.objectContaining({ code: 'PKI_TOO_LARGE' }));
    expect(() => decodeBase58('1'.repeat(177))).toThrow(expect.objectContaining({ code: 'PKI_BASE58' }));
  });
});

describe('identities', () => {
  it('come back from their text', () => {
    fc.assert(
      fc.property(identityParts, (parts) => {
        expect(parseIdentity(formatIdentity(parts))).toEqual({ ...parts, text: formatIdentity(parts) });
      }),
    );
  });

  it('do not survive the change of a character', () => {
    const text = identityOfSeed(1);
    const at = fc.nat(text.length - 1);
    fc.assert(
      fc.property(at, fc.string({ minLength: 0, maxLength: 2 }), (position, other) => {
        fc.pre(text.charAt(position) !== other);
        const changed = text.slice(0, position) + other + text.slice(position + 1);
        expect(() => parseIdentity(changed)).toThrow(PkiError);
      }),
      { numRuns: 1_000 },
    );
  });

  it('are read or refused, whatever the text', () => {
    const dotted = fc.array(fc.string(), { maxLength: 6 }).map((parts) => parts.join('.'));
    fc.assert(fc.property(fc.oneof(dotted, fc.string()), (text) => readsOrRefuses(() => parseIdentity(text))));
  });
});

describe('certificates and signed messages', () => {
  it('a certificate comes back from its bytes', () => {
    const parts = fc.record({
      method: fc.constantFrom('selfSigned' as const, 'regular' as const),
      notBefore: seconds,
      notAfter: seconds,
      publicKey: key,
      identity: identityParts.map(createIdentity),
      payload: bytesUpTo(300),
      masterSignature: signature,
    });
    fc.assert(
      fc.property(parts, fc.array(signature, { maxLength: 4 }), (fields, signatures) => {
        const signers = fields.method === 'regular' ? signatures : [];
        const trustSignatures = signers.map((made) => ({ signature: made, certificate: ANNA.certificate }));
        const certificate = buildCertificate({ ...fields, trustSignatures });
        expect(certificate).toMatchObject(fields);
        expect(certificate.trustSignatures).toEqual(trustSignatures);
        expect(parseCertificate(certificate.bytes)).toEqual(certificate);
        expect(peekCertificateIdentity(certificate.bytes)).toBe(fields.identity.text);
      }),
    );
  });

  it('a signed message comes back from its bytes', () => {
    const certificate = regular(RELAY, [ANNA, BERT, CLEO]);
    fc.assert(
      fc.property(bytesUpTo(2_000), (message) => {
        const bytes = buildSignedMessage({ certificate, key: RELAY.key, message });
        expect(parseSignedMessage(bytes)).toMatchObject({ method: 'regular', message, certificate, bytes });
        expect(peekSignedMessage(bytes)).toEqual({ message, identity: RELAY.identity.text });
      }),
    );
  });

  it('any bytes are read or refused', () => {
    const started = fc
      .tuple(fc.constantFrom(0xe0, 0xed, 0xaa), bytesUpTo(400))
      .map(([first, rest]) => Uint8Array.of(first, ...rest));
    fc.assert(
      fc.property(fc.oneof(started, bytesUpTo(100)), (bytes) =>
        [parseCertificate, parseSignedMessage, peekSignedMessage, peekCertificateIdentity, parseRsaPayload].every(
          (parse) => readsOrRefuses(() => parse(bytes)),
        ),
      ),
      { numRuns: 1_000 },
    );
  });
});

const root = createTrustRoot({
  authorities: [3, 4, 5].map(identityOfSeed),
  discoveryNodes: [1, 2].map(identityOfSeed),
});

const subjects: [string, string, (bytes: Uint8Array, verifier: CertificateVerifier) => Verdict][] = [
  ['self-signed certificate', vectors.selfSignedCertificate.bytes, judgeCertificate],
  ['regular certificate', vectors.regularCertificate.bytes, judgeCertificate],
  ['self-signed message', vectors.selfSignedMessage.bytes, judgeMessage],
  ['signed discovery item', vectors.signedDiscoveryItem.bytes, judgeMessage],
];

function judgeCertificate(bytes: Uint8Array, verifier: CertificateVerifier): Verdict {
  return verifier.verify(parseCertificate(bytes), NOW);
}

function judgeMessage(bytes: Uint8Array, verifier: CertificateVerifier): Verdict {
  return verifySignedMessage(parseSignedMessage(bytes), verifier, NOW);
}

/** True when the bytes are believed; anything but a verdict or a PkiError escapes and fails the test. */
function believed(judge: () => Verdict): boolean {
  try {
    return judge().ok;
  } catch (error) {
    if (error instanceof PkiError) return false;
    throw error;
  }
}

describe.each(subjects)('corrupted vector: %s', (_name, hex, judge) => {
  const good = fromHex(hex);
  // It has seen the good bytes and remembers them: what it remembers must not help the bad ones.
  const verifier = new CertificateVerifier({ root });

  it('is believed while intact', () => {
    expect(judge(good, verifier)).toEqual({ ok: true });
  });

  it('is not believed with any one byte changed', () => {
    const changed = (at: number, mask: number): Uint8Array =>
      good.map((byte, index) => (index === at ? byte ^ mask : byte));
    for (let at = 0; at < good.length; at++) {
      expect([at, believed(() => judge(changed(at, 1 + ((at * 37) % 255)), verifier))]).toEqual([at, false]);
    }
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) =>
        expect(believed(() => judge(changed(at, mask), verifier))).toBe(false),
      ),
      { numRuns: 300 },
    );
  });

  it('is not believed when cut anywhere, or with bytes after it', () => {
    for (let length = 0; length < good.length; length++) {
      // A regular certificate cut between two trust signatures is whole, but has too few of them.
      expect(believed(() => judge(good.slice(0, length), verifier))).toBe(false);
    }
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (tail) =>
        expect(believed(() => judge(Uint8Array.of(...good, ...tail), verifier))).toBe(false),
      ),
    );
  });

  it('is not believed with stretches of it moved, doubled or lost', () => {
    const at = fc.nat(good.length);
    fc.assert(
      fc.property(at, at, at, (a, b, c) => {
        const [from = 0, middle = 0, to = 0] = [a, b, c].sort((left, right) => left - right);
        const parts = [good.slice(0, from), good.slice(from, middle), good.slice(middle, to), good.slice(to)];
        const [head, one, two, tail] = parts.map((part) => Buffer.from(part)) as [Buffer, Buffer, Buffer, Buffer];
        for (const bad of [
          Buffer.concat([head, two, one, tail]),
          Buffer.concat([head, one, one, two, tail]),
          Buffer.concat([head, two, tail]),
        ]) {
          if (!bad.equals(Buffer.from(good))) expect(believed(() => judge(bad, verifier))).toBe(false);
        }
      }),
      { numRuns: 150 },
    );
  });
});
