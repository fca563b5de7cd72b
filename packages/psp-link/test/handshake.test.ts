import { hash, sign } from 'node:crypto';
import { formatFingerprint } from '@discovery-raft/psp-pki';
import { encodeCell } from '../src/cells/cell.js';
import { Command } from '../src/cells/command.js';
import {
  decodeAuthChallenge,
  decodeAuthenticate,
  decodeCerts,
  encodeAuthChallenge,
  encodeAuthenticate,
  encodeCerts,
  encodeVersions,
} from '../src/cells/handshake-cells.js';
import { fingerprintOfCredentials, LinkError } from '../src/index.js';
import { certificate, credentialsOf, DAY, NOON, rsaKey } from './fixtures/credentials.js';
import { cellsOf, CLIENT, converse, initiator, responder, SECRET, SERVER, type Outcome } from './fixtures/dialogue.js';
import { toHex, vectors } from './fixtures/vectors.js';

const SERVER_NAME = fingerprintOfCredentials(SERVER);
const CLIENT_NAME = fingerprintOfCredentials(CLIENT);
const OTHER = credentialsOf('other');

/** `code` or `code field`, of what a dialogue is refused with. */
function refusal(talk: () => unknown): string {
  try {
    talk();
    return 'none';
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    const { field, certificate: name } = error.details;
    return [error.code, name ?? field].filter((part) => part !== undefined).join(' ');
  }
}

/** Changes what one side sends as its nth cell. */
function replacing(who: 'initiator' | 'responder', nth: number, by: (cell: Uint8Array) => Uint8Array) {
  return (cell: Uint8Array, from: string, index: number): Uint8Array[] => [
    from === who && index === nth ? by(cell) : cell,
  ];
}

function nameOf(peer: Outcome['initiator']): string | null | undefined {
  return peer?.fingerprint && formatFingerprint(peer.fingerprint);
}

describe('a handshake that is right', () => {
  test('of an anonymous client: the cells of the deployed protocol', () => {
    const talk = converse(initiator(), responder());
    expect(talk.fromInitiator.map(toHex)).toEqual([vectors.cells.versions, vectors.cells.authBypass]);
    const [versions, certs, challenge] = talk.fromResponder.flatMap(cellsOf);
    expect([versions, certs, challenge].map((cell) => cell?.command)).toEqual([128, 130, 131]);
    expect(decodeCerts(certs!.payload)).toEqual({
      link: SERVER.linkCertificate,
      identity: SERVER.identityCertificate,
    });
    expect(decodeAuthChallenge(challenge!.payload)).toEqual({
      challenge: new Uint8Array(32).fill(4),
      methods: [1, 2],
    });
    expect(nameOf(talk.initiator)).toBe(SERVER_NAME);
    expect(talk.responder).toEqual({ fingerprint: null });
  });

  test('of a node: both know each other', () => {
    const talk = converse(initiator({ credentials: CLIENT, expectedFingerprint: SERVER_NAME }), responder());
    expect([nameOf(talk.initiator), nameOf(talk.responder)]).toEqual([SERVER_NAME, CLIENT_NAME]);
    expect(talk.responder?.identityCertificate).toEqual(CLIENT.identityCertificate);
  });

  test('the authentication, field by field', () => {
    const { fromInitiator, fromResponder } = converse(initiator({ credentials: CLIENT }), responder());
    const bytes = decodeAuthenticate(cellsOf(fromInitiator[2]!)[0]!.payload);
    const sha256 = (...parts: readonly Uint8Array[]): string => hash('sha256', Buffer.concat(parts));
    const fields = Array.from({ length: 6 }, (_, i) => toHex(bytes.subarray(8 + 32 * i, 40 + 32 * i)));
    expect(Buffer.from(bytes.subarray(0, 8)).toString()).toBe('AUTH0001');
    expect(fields).toEqual([
      CLIENT_NAME.toLowerCase(),
      SERVER_NAME.toLowerCase(),
      sha256(...fromResponder),
      sha256(...fromInitiator.slice(0, 2)),
      sha256(SERVER.linkCertificate),
      toHex(SECRET),
    ]);
    expect(toHex(bytes.subarray(200, 224))).toBe('03'.repeat(24));
    expect(toHex(bytes.subarray(224))).toBe(toHex(sign('sha256', bytes.subarray(0, 224), CLIENT.authenticateKey)));
  });

  test('padding belongs to no step, and to the transcript', () => {
    const padding = encodeCell(0, Command.padding);
    const asides = (cell: Uint8Array): Uint8Array[] => [padding, cell, padding];
    expect(nameOf(converse(initiator(), responder(), asides).initiator)).toBe(SERVER_NAME);
    // A node that saw padding which the other never sent must not authenticate.
    expect(refusal(() => converse(initiator({ credentials: CLIENT }), responder(), asides))).toBe(
      'LINK_AUTHENTICATION_FAILED responderTranscript',
    );
  });

  test('versions that this end does not know do no harm', () => {
    const newer = replacing('initiator', 0, () => encodeCell(0, Command.versions, encodeVersions([3, 1, 2])));
    expect(nameOf(converse(initiator(), responder(), newer).initiator)).toBe(SERVER_NAME);
  });
});

describe('the responder refuses', () => {
  const asNode = (options: Parameters<typeof initiator>[0] = {}) => initiator({ credentials: CLIENT, ...options });

  test('a node that is not trusted, before its signatures are verified', () => {
    const asked: string[] = [];
    const trusted = (fingerprint: string): boolean => asked.push(fingerprint) === 0;
    expect(refusal(() => converse(asNode(), responder({ trusted })))).toBe('LINK_UNTRUSTED_PEER');
    expect(asked).toEqual([CLIENT_NAME]);
  });

  test.each<[string, number, number]>([
    ['type', 0, 8],
    ['initiatorFingerprint', 8, 32],
    ['responderFingerprint', 40, 32],
    ['responderTranscript', 72, 32],
    ['initiatorTranscript', 104, 32],
    ['tlsCertificate', 136, 32],
    ['tlsSecret', 168, 32],
    ['signature', 200, 24],
    ['signature', 224, 256],
  ])('a falsified %s at byte %i, signed anew or not', (field, at, length) => {
    for (const offset of [0, length - 1]) {
      const falsified = (signedAnew: boolean) =>
        replacing('initiator', 2, (cell) => {
          const bytes = decodeAuthenticate(cellsOf(cell)[0]!.payload).slice();
          bytes[at + offset]! ^= 1;
          if (signedAnew) bytes.set(sign('sha256', bytes.subarray(0, 224), CLIENT.authenticateKey), 224);
          return encodeCell(0, Command.authenticate, encodeAuthenticate(bytes));
        });
      expect(refusal(() => converse(asNode(), responder(), falsified(false)))).toBe(
        `LINK_AUTHENTICATION_FAILED ${field}`,
      );
      // The nonce is the initiator's to choose.
      const expected = field === 'signature' ? 'none' : `LINK_AUTHENTICATION_FAILED ${field}`;
      expect(refusal(() => converse(asNode(), responder(), falsified(true)))).toBe(expected);
    }
  });

  test('an authentication that is too short', () => {
    const short = replacing('initiator', 2, () =>
      encodeCell(0, Command.authenticate, encodeAuthenticate(new Uint8Array(224))),
    );
    expect(refusal(() => converse(asNode(), responder(), short))).toBe('LINK_AUTHENTICATION_FAILED length');
  });

  test('an authentication of another connection: replayed, relayed, or through a man in the middle', () => {
    const recorded = converse(asNode(), responder()).fromInitiator;
    const replay = (to: ReturnType<typeof responder>): string =>
      refusal(() => {
        for (const bytes of recorded) for (const cell of cellsOf(bytes)) to.receive(cell);
      });
    expect(replay(responder({ challenge: new Uint8Array(32).fill(5) }))).toBe(
      'LINK_AUTHENTICATION_FAILED responderTranscript',
    );
    const elsewhere = hash('sha256', 'another TLS connection', 'buffer');
    expect(replay(responder({ tlsSecret: () => elsewhere }))).toBe('LINK_AUTHENTICATION_FAILED tlsSecret');
    expect(replay(responder({ credentials: OTHER }))).toBe('LINK_AUTHENTICATION_FAILED responderFingerprint');
    const renewed = { ...SERVER, linkCertificate: certificate(SERVER.linkKey, SERVER.identityKey) };
    expect(replay(responder({ credentials: renewed }))).toBe('LINK_AUTHENTICATION_FAILED responderTranscript');
  });

  test('an authentication with the key of somebody else', () => {
    const credentials = { ...CLIENT, authenticateKey: OTHER.authenticateKey };
    expect(refusal(() => converse(initiator({ credentials }), responder()))).toBe(
      'LINK_AUTHENTICATION_FAILED signature',
    );
  });

  test('certificates that do not hold', () => {
    const key = CLIENT.authenticateKey;
    const identityKey = CLIENT.identityKey;
    const short = rsaKey('short', 1024);
    const attempts: [string, Partial<typeof CLIENT>][] = [
      ['LINK_CERTIFICATE_EXPIRED', { authenticateCertificate: certificate(key, identityKey, { notAfter: NOON - 1 }) }],
      ['LINK_CERTIFICATE_EXPIRED', { authenticateCertificate: certificate(key, identityKey, { notBefore: NOON + 1 }) }],
      [
        'LINK_CERTIFICATE_EXPIRED',
        { identityCertificate: certificate(identityKey, identityKey, { notAfter: NOON - 1 }) },
      ],
      ['LINK_BAD_CERTIFICATE', { authenticateCertificate: OTHER.authenticateCertificate }],
      ['LINK_BAD_CERTIFICATE', { authenticateCertificate: certificate(key, key) }],
      ['LINK_BAD_CERTIFICATE', { authenticateCertificate: certificate(short, identityKey), authenticateKey: short }],
      ['LINK_BAD_CERTIFICATE', { identityCertificate: certificate(identityKey, OTHER.identityKey) }],
      ['LINK_BAD_CERTIFICATE', { identityCertificate: Uint8Array.of(0x30, 0) }],
    ];
    for (const [code, changes] of attempts) {
      const presented = { ...CLIENT, ...changes };
      const certs = encodeCerts({
        identity: presented.identityCertificate,
        authenticate: presented.authenticateCertificate,
      });
      const tamper = replacing('initiator', 1, () => encodeCell(0, Command.certs, certs));
      expect([code, refusal(() => converse(asNode(), responder(), tamper)).split(' ')[0]]).toEqual([code, code]);
    }
  });

  test('certificates that are missing', () => {
    for (const certs of [{}, { identity: CLIENT.identityCertificate }, { link: CLIENT.linkCertificate }]) {
      const tamper = replacing('initiator', 1, () => encodeCell(0, Command.certs, encodeCerts(certs)));
      expect(refusal(() => converse(asNode(), responder(), tamper))).toBe('LINK_BAD_CERTIFICATE');
    }
  });

  test('cells in another order, on a circuit, or with bytes too many', () => {
    const first = (cell: Uint8Array): string => refusal(() => responder().receive(cellsOf(cell)[0]!));
    expect(first(encodeCell(0, Command.authBypass))).toBe('LINK_UNEXPECTED_CELL');
    expect(first(encodeCell(0, Command.streamCreate, new Uint8Array(4)))).toBe('LINK_UNEXPECTED_CELL');
    expect(first(encodeCell(0, 200))).toBe('LINK_UNEXPECTED_CELL');
    expect(first(encodeCell(1, Command.versions, encodeVersions([1])))).toBe('LINK_UNEXPECTED_CELL');
    expect(first(encodeCell(0, Command.versions, encodeVersions([2])))).toBe('LINK_NO_COMMON_VERSION');
    const then = (...cells: readonly Uint8Array[]): string =>
      refusal(() => {
        const side = responder();
        for (const bytes of [encodeCell(0, Command.versions, encodeVersions([1])), ...cells]) {
          for (const cell of cellsOf(bytes)) side.receive(cell);
        }
      });
    const bypass = encodeCell(0, Command.authBypass);
    expect(then(encodeCell(0, Command.versions, encodeVersions([1])))).toBe('LINK_UNEXPECTED_CELL');
    expect(then(encodeCell(0, Command.authenticate, encodeAuthenticate(new Uint8Array(500))))).toBe(
      'LINK_UNEXPECTED_CELL',
    );
    expect(then(encodeCell(0, Command.authBypass, Uint8Array.of(1)))).toBe('LINK_MALFORMED authBypass');
    expect(then(bypass)).toBe('none');
    expect(then(bypass, bypass)).toBe('LINK_UNEXPECTED_CELL');
    expect(refusal(() => converse(initiator(), responder({ allowAnonymous: false })))).toBe('LINK_NO_COMMON_VERSION');
  });
});

describe('the initiator refuses', () => {
  test('a responder whose certificates do not hold', () => {
    const { linkKey, identityKey } = SERVER;
    const short = rsaKey('short', 1024);
    const attempts: [string, Partial<typeof SERVER>][] = [
      ['LINK_CERTIFICATE_EXPIRED link', { linkCertificate: certificate(linkKey, identityKey, { notAfter: NOON - 1 }) }],
      [
        'LINK_CERTIFICATE_EXPIRED link',
        { linkCertificate: certificate(linkKey, identityKey, { notBefore: NOON + 1 }) },
      ],
      [
        'LINK_CERTIFICATE_EXPIRED identity',
        { identityCertificate: certificate(identityKey, identityKey, { notBefore: NOON + DAY }) },
      ],
      ['LINK_BAD_CERTIFICATE link', { linkCertificate: certificate(linkKey, linkKey) }],
      ['LINK_BAD_CERTIFICATE link', { linkCertificate: certificate(OTHER.linkKey, identityKey) }],
      ['LINK_BAD_CERTIFICATE link', { linkCertificate: certificate(short, identityKey) }],
      ['LINK_BAD_CERTIFICATE identity', { identityCertificate: certificate(short, short) }],
      ['LINK_BAD_CERTIFICATE identity', { identityCertificate: certificate(identityKey, OTHER.identityKey) }],
    ];
    for (const [expected, changes] of attempts) {
      const talk = (): Outcome => converse(initiator(), responder({ credentials: { ...SERVER, ...changes } }));
      expect([expected, refusal(talk)]).toEqual([expected, expected]);
    }
  });

  test('a responder that shows the certificates of another', () => {
    expect(refusal(() => converse(initiator(), responder({ credentials: OTHER })))).toBe('LINK_BAD_CERTIFICATE link');
    const tlsCertificate = OTHER.linkCertificate;
    const expectedFingerprint = SERVER_NAME;
    expect(
      refusal(() => converse(initiator({ tlsCertificate, expectedFingerprint }), responder({ credentials: OTHER }))),
    ).toBe('LINK_UNTRUSTED_PEER');
    expect(refusal(() => converse(initiator({ tlsCertificate: new Uint8Array(0) }), responder()))).toBe(
      'LINK_BAD_CERTIFICATE tls',
    );
  });

  test.each<[string, Parameters<typeof encodeCerts>[0]]>([
    ['no link', { identity: SERVER.identityCertificate }],
    ['no identity', { link: SERVER.linkCertificate }],
    ['nothing', {}],
  ])('certificates that are missing: %s', (_, certs) => {
    const tamper = replacing('responder', 1, () => encodeCell(0, Command.certs, encodeCerts(certs)));
    expect(refusal(() => converse(initiator(), responder(), tamper))).toBe('LINK_BAD_CERTIFICATE');
  });

  test('cells in another order, and a challenge without its method', () => {
    const swapped = (cell: Uint8Array, from: string, i: number): Uint8Array[] =>
      from === 'responder' && i === 1 ? [] : [cell];
    expect(refusal(() => converse(initiator(), responder(), swapped))).toBe('LINK_UNEXPECTED_CELL');
    const other = encodeAuthChallenge({ challenge: new Uint8Array(32), methods: [7] });
    const tamper = replacing('responder', 2, () => encodeCell(0, Command.authChallenge, other));
    expect(refusal(() => converse(initiator(), responder(), tamper))).toBe('LINK_NO_COMMON_VERSION');
    expect(refusal(() => converse(initiator({ credentials: CLIENT }), responder(), tamper))).toBe(
      'LINK_NO_COMMON_VERSION',
    );
    const done = initiator();
    converse(done, responder());
    expect(refusal(() => done.receive(cellsOf(encodeCell(0, Command.versions))[0]!))).toBe('LINK_UNEXPECTED_CELL');
  });
});
