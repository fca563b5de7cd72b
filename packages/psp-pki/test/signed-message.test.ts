import {
  CertificateVerifier,
  MAX_SIGNED_MESSAGE_BYTES,
  buildSignedMessage,
  openSignedMessageAsync,
  parseSignedMessage,
  verifySignedMessage,
  verifySignedMessageAsync,
} from '../src/index.js';
import { ANNA, BERT, CLEO, NODE, RELAY, ROOT, keyOf, regular, selfSigned } from './network.js';
import { NOT_AFTER, NOW } from './vectors.js';

const certificate = regular(RELAY, [ANNA, BERT, CLEO]);
const message = new TextEncoder().encode('here I am');
const bytes = buildSignedMessage({ certificate, key: RELAY.key, message });

function coded(code: string): Error {
  return expect.objectContaining({ name: 'PkiError', code, retryable: false }) as Error;
}

describe('a signed message', () => {
  const verifier = new CertificateVerifier({ root: ROOT });

  it('is believed when certificate and signature are good', async () => {
    expect(verifySignedMessage(parseSignedMessage(bytes), verifier, NOW)).toEqual({ ok: true });
    expect(await openSignedMessageAsync(bytes, verifier, NOW)).toMatchObject({ ok: true, signed: { message } });
  });

  it('is refused with its certificate', async () => {
    const signed = parseSignedMessage(bytes);
    expect(verifySignedMessage(signed, verifier, NOT_AFTER + 1)).toMatchObject({ code: 'PKI_EXPIRED' });
    expect(await verifySignedMessageAsync(signed, verifier, NOT_AFTER + 1)).toMatchObject({ code: 'PKI_EXPIRED' });
  });

  it('is refused when another key signed it, even the identity’s own', async () => {
    for (const key of [keyOf('thief'), RELAY.master]) {
      const forged = { ...parseSignedMessage(bytes), signature: key.sign(message) };
      expect(verifySignedMessage(forged, verifier, NOW)).toMatchObject({ code: 'PKI_BAD_MESSAGE_SIGNATURE' });
      const verdict = await verifySignedMessageAsync(forged, verifier, NOW);
      expect(verdict).toMatchObject({ code: 'PKI_BAD_MESSAGE_SIGNATURE' });
    }
  });

  it('a signature of another length is a bad one', () => {
    for (const length of [0, 63, 65]) {
      const verdict = verifier.verifySignature(certificate, message, new Uint8Array(length), NOW);
      expect(verdict).toMatchObject({ ok: false, code: 'PKI_BAD_MESSAGE_SIGNATURE' });
    }
  });

  it('names the method of its certificate', () => {
    const mismatched = Uint8Array.from(bytes);
    mismatched[0] = 0xe0;
    expect(() => parseSignedMessage(mismatched)).toThrow(coded('PKI_METHOD_MISMATCH'));
  });

  it('that cannot be read is a refusal, not an exception, to who opens it', async () => {
    expect(await openSignedMessageAsync(Uint8Array.of(1), verifier, NOW)).toMatchObject({ code: 'PKI_UNKNOWN_METHOD' });
    expect(await openSignedMessageAsync(bytes.slice(0, -1), verifier, NOW)).toMatchObject({ ok: false });
  });

  it('may be empty', () => {
    const empty = buildSignedMessage({ certificate, key: RELAY.key, message: new Uint8Array(0) });
    expect(verifySignedMessage(parseSignedMessage(empty), verifier, NOW)).toEqual({ ok: true });
  });

  it('is read from a Buffer in the middle of another as from its own bytes', () => {
    const framed = Buffer.concat([Buffer.alloc(7), bytes, Buffer.alloc(9)]);
    expect(parseSignedMessage(framed.subarray(7, 7 + bytes.length))).toEqual(parseSignedMessage(bytes));
  });
});

describe('the limits of a signed message', () => {
  it('a length that the bytes do not have is refused before it is believed', () => {
    const claims = Uint8Array.of(0xe0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3);
    expect(() => parseSignedMessage(claims)).toThrow(coded('PKI_TRUNCATED'));
  });

  it('its size is bounded, by the caller below what the protocol allows', () => {
    expect(() => parseSignedMessage(new Uint8Array(MAX_SIGNED_MESSAGE_BYTES + 1))).toThrow(coded('PKI_TOO_LARGE'));
    const wider = { maxSignedMessageBytes: MAX_SIGNED_MESSAGE_BYTES * 2 };
    expect(() => parseSignedMessage(new Uint8Array(MAX_SIGNED_MESSAGE_BYTES + 1), wider)).toThrow(
      coded('PKI_TOO_LARGE'),
    );
    expect(() => parseSignedMessage(bytes, { maxSignedMessageBytes: bytes.length - 1 })).toThrow(
      coded('PKI_TOO_LARGE'),
    );
    expect(parseSignedMessage(bytes, { maxSignedMessageBytes: bytes.length }).message).toEqual(message);
    const tooLong = { certificate, key: RELAY.key, message: new Uint8Array(MAX_SIGNED_MESSAGE_BYTES) };
    expect(() => buildSignedMessage(tooLong)).toThrow(coded('PKI_TOO_LARGE'));
  });

  it('the certificate in it is bounded too', () => {
    const maxCertificateBytes = certificate.bytes.length - 1;
    expect(() => parseSignedMessage(bytes, { maxCertificateBytes })).toThrow(coded('PKI_TOO_LARGE'));
    expect(() => parseSignedMessage(bytes, { maxTrustSignatures: 2 })).toThrow(coded('PKI_TOO_MANY_TRUST_SIGNATURES'));
  });

  it('is signed only with the key of the certificate', () => {
    const parts = { certificate: selfSigned(NODE), key: RELAY.key, message };
    expect(() => buildSignedMessage(parts)).toThrow(coded('PKI_INVALID_ARGUMENT'));
  });
});
