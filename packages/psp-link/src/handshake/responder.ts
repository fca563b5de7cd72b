import { hash } from 'node:crypto';
import { formatFingerprint, parseFingerprint } from '@discovery-raft/psp-pki';
import { encodeCell, type Cell } from '../cells/cell.js';
import { Command, CONNECTION_ID } from '../cells/command.js';
import {
  agreeOnVersion,
  AuthenticationMethod,
  decodeAuthenticate,
  decodeCerts,
  encodeAuthChallenge,
  encodeCerts,
  encodeVersions,
  PROTOCOL_VERSION,
  type CellCertificates,
} from '../cells/handshake-cells.js';
import { fingerprintOfCredentials, type LinkCredentials } from '../credentials/credentials.js';
import { LinkError } from '../errors.js';
import { checkAuthentication } from './authentication.js';
import { checkCertificates, claimedFingerprint, type CertificateRules } from './check-certificates.js';
import { isHandshakeCell, unexpected, WAIT, type Handshake, type HandshakeStep } from './handshake.js';
import { Transcript } from './transcript.js';

/** What the side that listens knows. */
export interface ResponderOptions extends CertificateRules {
  /** Those whose link certificate TLS shows. */
  readonly credentials: LinkCredentials;
  /** Keying material of the TLS session; called once at most. */
  readonly tlsSecret: () => Uint8Array;
  /** 32 random bytes. */
  readonly challenge: Uint8Array;
  /** Whether peers may stay anonymous. */
  readonly allowAnonymous: boolean;
  /** Whether the node with this fingerprint, upper-case hex, may authenticate. */
  readonly trusted: (fingerprint: string) => boolean;
}

/** The handshake of the side that listens. */
export class ResponderHandshake implements Handshake {
  readonly #options: ResponderOptions;
  readonly #sent = new Transcript();
  readonly #received = new Transcript();
  #step: 'versions' | 'choice' | 'authenticate' | 'done' = 'versions';
  #certificates: CellCertificates = {};

  constructor(options: ResponderOptions) {
    this.#options = options;
  }

  get step(): string {
    return this.#step;
  }

  /** Nothing: the initiator begins. */
  start(): readonly Uint8Array[] {
    return [];
  }

  receive(cell: Cell): HandshakeStep {
    const authenticates = this.#step === 'authenticate' && cell.command === Command.authenticate;
    const before = authenticates ? this.#received.digest() : undefined;
    this.#received.addCell(cell);
    if (!isHandshakeCell(cell)) return WAIT;
    const { command, payload } = cell;
    if (this.#step === 'versions' && command === Command.versions) {
      agreeOnVersion(payload);
      this.#step = 'choice';
      return { write: this.#introduce() };
    }
    if (this.#step === 'choice' && command === Command.authBypass && this.#options.allowAnonymous) {
      if (payload.length > 0)
        throw new LinkError('LINK_MALFORMED', 'authBypass has no payload', { field: 'authBypass' });
      this.#step = 'done';
      return { write: [], peer: { fingerprint: null } };
    }
    if (this.#step === 'choice' && command === Command.certs) {
      this.#certificates = this.#checkTrusted(payload);
      this.#step = 'authenticate';
      return WAIT;
    }
    if (before !== undefined) {
      const step = this.#authenticated(decodeAuthenticate(payload), before);
      this.#step = 'done';
      return step;
    }
    throw unexpected(cell, this.#step);
  }

  #introduce(): readonly Uint8Array[] {
    const { credentials, challenge, allowAnonymous } = this.#options;
    const { rsaSha256TlsSecret, allowBypass } = AuthenticationMethod;
    const methods = allowAnonymous ? [rsaSha256TlsSecret, allowBypass] : [rsaSha256TlsSecret];
    return [
      this.#cell(Command.versions, encodeVersions([PROTOCOL_VERSION])),
      this.#cell(
        Command.certs,
        encodeCerts({ link: credentials.linkCertificate, identity: credentials.identityCertificate }),
      ),
      this.#cell(Command.authChallenge, encodeAuthChallenge({ challenge, methods })),
    ];
  }

  /** A stranger is refused before a signature of his is verified. */
  #checkTrusted(payload: Uint8Array): CellCertificates {
    const { identity, authenticate } = decodeCerts(payload);
    if (identity === undefined || authenticate === undefined) {
      throw new LinkError('LINK_BAD_CERTIFICATE', 'the initiator shows no identity or no authenticate certificate');
    }
    const fingerprint = formatFingerprint(claimedFingerprint(identity, this.#options.minRsaBits));
    if (!this.#options.trusted(fingerprint)) {
      throw new LinkError('LINK_UNTRUSTED_PEER', 'this node is not trusted', { fingerprint });
    }
    return { identity: identity.slice(), authenticate: authenticate.slice() };
  }

  #authenticated(authentication: Uint8Array, initiatorTranscript: Uint8Array): HandshakeStep {
    const { credentials, tlsSecret } = this.#options;
    const identity = this.#certificates.identity!;
    const { fingerprint, key } = checkCertificates(
      identity,
      this.#certificates.authenticate!,
      'authenticate',
      this.#options,
    );
    const facts = {
      initiatorFingerprint: fingerprint,
      responderFingerprint: parseFingerprint(fingerprintOfCredentials(credentials))!,
      responderTranscript: this.#sent.digest(),
      initiatorTranscript,
      tlsCertificate: hash('sha256', credentials.linkCertificate, 'buffer'),
      tlsSecret: tlsSecret(),
    };
    checkAuthentication(authentication, facts, key);
    return { write: [], peer: { fingerprint, identityCertificate: identity } };
  }

  #cell(command: number, payload: Uint8Array): Uint8Array {
    const bytes = encodeCell(CONNECTION_ID, command, payload);
    this.#sent.addBytes(bytes);
    return bytes;
  }
}
