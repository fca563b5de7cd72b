import { hash } from 'node:crypto';
import { formatFingerprint, parseFingerprint } from '@discovery-raft/psp-pki';
import { encodeCell, type Cell } from '../cells/cell.js';
import { Command, CONNECTION_ID } from '../cells/command.js';
import {
  agreeOnVersion,
  AuthenticationMethod,
  decodeAuthChallenge,
  decodeCerts,
  encodeAuthenticate,
  encodeCerts,
  encodeVersions,
  PROTOCOL_VERSION,
} from '../cells/handshake-cells.js';
import { fingerprintOfCredentials, type LinkCredentials } from '../credentials/credentials.js';
import { LinkError } from '../errors.js';
import { buildAuthentication } from './authentication.js';
import { checkCertificates, keyOf, type CertificateRules } from './check-certificates.js';
import {
  isHandshakeCell,
  unexpected,
  WAIT,
  type Handshake,
  type HandshakePeer,
  type HandshakeStep,
} from './handshake.js';
import { Transcript } from './transcript.js';

/** What the side that dials knows. */
export interface InitiatorOptions extends CertificateRules {
  /** DER: what the responder showed in TLS. */
  readonly tlsCertificate: Uint8Array;
  /** Keying material of the TLS session; called once at most. */
  readonly tlsSecret: () => Uint8Array;
  /** Left out: stays anonymous. */
  readonly credentials?: LinkCredentials | undefined;
  /** 24 random bytes. */
  readonly nonce: Uint8Array;
  /** Upper-case hex. Left out: any responder that proves some identity. */
  readonly expectedFingerprint?: string | undefined;
}

/** The handshake of the side that dials. */
export class InitiatorHandshake implements Handshake {
  readonly #options: InitiatorOptions;
  readonly #sent = new Transcript();
  readonly #received = new Transcript();
  #step: 'versions' | 'certs' | 'authChallenge' | 'done' = 'versions';
  #peer: HandshakePeer = { fingerprint: null };

  constructor(options: InitiatorOptions) {
    this.#options = options;
  }

  get step(): string {
    return this.#step;
  }

  start(): readonly Uint8Array[] {
    return [this.#cell(Command.versions, encodeVersions([PROTOCOL_VERSION]))];
  }

  receive(cell: Cell): HandshakeStep {
    this.#received.addCell(cell);
    if (!isHandshakeCell(cell)) return WAIT;
    if (this.#step === 'done' || cell.command !== Command[this.#step]) throw unexpected(cell, this.#step);
    switch (this.#step) {
      case 'versions':
        agreeOnVersion(cell.payload);
        this.#step = 'certs';
        return WAIT;
      case 'certs':
        this.#peer = this.#checkResponder(cell.payload);
        this.#step = 'authChallenge';
        return WAIT;
      case 'authChallenge':
        this.#step = 'done';
        return { write: this.#answer(decodeAuthChallenge(cell.payload).methods), peer: this.#peer };
    }
  }

  #checkResponder(payload: Uint8Array): HandshakePeer {
    const { link, identity } = decodeCerts(payload);
    if (link === undefined || identity === undefined) {
      throw new LinkError('LINK_BAD_CERTIFICATE', 'the responder shows no link or no identity certificate');
    }
    const { fingerprint, key } = checkCertificates(identity, link, 'link', this.#options);
    if (!key.equals(keyOf(this.#options.tlsCertificate, 'tls', this.#options.minRsaBits))) {
      throw new LinkError('LINK_BAD_CERTIFICATE', 'the link certificate is not for the key of this TLS connection', {
        certificate: 'link',
      });
    }
    const { expectedFingerprint } = this.#options;
    const found = formatFingerprint(fingerprint);
    if (expectedFingerprint !== undefined && found !== expectedFingerprint) {
      throw new LinkError('LINK_UNTRUSTED_PEER', 'another node answered', { found, expected: expectedFingerprint });
    }
    return { fingerprint, identityCertificate: identity.slice() };
  }

  #answer(methods: readonly number[]): readonly Uint8Array[] {
    const { credentials } = this.#options;
    const method = credentials === undefined ? 'allowBypass' : 'rsaSha256TlsSecret';
    if (!methods.includes(AuthenticationMethod[method])) {
      throw new LinkError('LINK_NO_COMMON_VERSION', 'the responder does not take this kind of initiator', { method });
    }
    if (credentials === undefined) return [this.#cell(Command.authBypass, new Uint8Array(0))];
    const certs = encodeCerts({
      identity: credentials.identityCertificate,
      authenticate: credentials.authenticateCertificate,
    });
    return [this.#cell(Command.certs, certs), this.#authenticate(credentials)];
  }

  #authenticate(credentials: LinkCredentials): Uint8Array {
    const facts = {
      initiatorFingerprint: parseFingerprint(fingerprintOfCredentials(credentials))!,
      responderFingerprint: this.#peer.fingerprint!,
      responderTranscript: this.#received.digest(),
      initiatorTranscript: this.#sent.digest(),
      tlsCertificate: hash('sha256', this.#options.tlsCertificate, 'buffer'),
      tlsSecret: this.#options.tlsSecret(),
    };
    const authentication = buildAuthentication(facts, this.#options.nonce, credentials.authenticateKey);
    return this.#cell(Command.authenticate, encodeAuthenticate(authentication));
  }

  #cell(command: number, payload: Uint8Array): Uint8Array {
    const bytes = encodeCell(CONNECTION_ID, command, payload);
    this.#sent.addBytes(bytes);
    return bytes;
  }
}
