import { randomBytes } from 'node:crypto';
import type { OnReadOpts } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { silentLogger, systemClock, type Clock, type Logger } from '@discovery-raft/raft-core';
import type { LinkCredentials } from '../credentials/credentials.js';
import { LinkError } from '../errors.js';
import { EXPORTER_BYTES, EXPORTER_CONTEXT, EXPORTER_LABEL, NONCE_BYTES } from '../handshake/authentication.js';
import { InitiatorHandshake } from '../handshake/initiator.js';
import { DEFAULT_LINK_LIMITS, type LinkLimits } from '../limits.js';
import { PspConnection } from './psp-connection.js';
import { ReadBuffer } from './read-buffer.js';
import { runHandshake } from './run-handshake.js';
import type { SecureWire } from './secure-wire.js';
import { TLS_OPTIONS } from './tls-options.js';
import { TlsWire } from './tls-wire.js';

/** Options of {@link connectPsp}. */
export interface ConnectOptions {
  /** Name or IP address. */
  readonly host: string;
  readonly port: number;
  /** Upper-case hex of 32 bytes: who must answer. Left out: any node that proves some identity. */
  readonly expectedFingerprint?: string;
  /** With whose name to authenticate. Left out: anonymous. */
  readonly credentials?: LinkCredentials;
  /** See {@link linkLimits}. */
  readonly limits?: LinkLimits;
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** For everything until the connection is there. Default: `handshakeTimeoutMs` of the limits. */
  readonly timeoutMs?: number;
  /** Ends the attempt; a connection that is there already stays. */
  readonly signal?: AbortSignal;
}

/**
 * Opens a connection and carries the handshake out (WIRE.md, section 4).
 *
 * An authenticated connection may still be refused by the peer, which then closes it: nobody says so before. A stream
 * that it has accepted is the proof.
 *
 * @throws LinkError LINK_UNREACHABLE, LINK_TLS_FAILED, LINK_TIMEOUT, LINK_ABORTED, LINK_UNTRUSTED_PEER, and what the
 *   handshake refuses
 */
export function connectPsp(options: ConnectOptions): Promise<PspConnection> {
  const { clock = systemClock, limits = DEFAULT_LINK_LIMITS, signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(aborted());
    const deadlineAt = clock.now() + (options.timeoutMs ?? limits.handshakeTimeoutMs);
    const readBuffer = new ReadBuffer();
    const socket = connectTls(tlsOptionsOf(options, readBuffer));
    let cancel = (error: LinkError): void => {
      socket.destroy();
      settle(error);
    };
    const onAbort = (): void => cancel(aborted());
    const timer = clock.setTimer(Math.min(limits.tlsTimeoutMs, deadlineAt - clock.now()), () =>
      cancel(new LinkError('LINK_TIMEOUT', 'TLS takes too long', { step: 'tls' })),
    );
    const settle = (result: PspConnection | LinkError): void => {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
      if (result instanceof LinkError) reject(result);
      else resolve(result);
    };
    signal?.addEventListener('abort', onAbort);
    let connected = false;
    socket.on('connect', () => (connected = true));
    socket.on('error', (cause) => {
      const code = connected ? 'LINK_TLS_FAILED' : 'LINK_UNREACHABLE';
      cancel(new LinkError(code, 'no connection', { host: options.host, port: options.port }, cause));
    });
    socket.on('close', () => cancel(new LinkError('LINK_CONNECTION_CLOSED', 'the peer ended the connection')));
    socket.on('secureConnect', () => {
      timer.cancel();
      socket.removeAllListeners('error').removeAllListeners('close');
      const wire = new TlsWire(socket, socket.remoteAddress ?? options.host, readBuffer);
      const settings = { limits, clock, deadlineAt };
      cancel = runHandshake(wire, initiatorOf(wire, options, limits, clock), settings, (result) => {
        if (result instanceof LinkError) return settle(result);
        const { logger = silentLogger } = options;
        const connection = new PspConnection({
          wire,
          ...result,
          initiator: true,
          authenticated: options.credentials !== undefined,
          limits,
          clock,
          logger,
        });
        connection.start();
        settle(connection);
      });
    });
  });
}

/** With `onread`, which Node's types lack. */
function tlsOptionsOf(
  { host, port }: ConnectOptions,
  readBuffer: ReadBuffer,
): ConnectionOptions & { onread: OnReadOpts } {
  // Certificates are judged by the rules of PSP, on the cells that name them.
  return { ...TLS_OPTIONS, host, port, rejectUnauthorized: false, servername: '', onread: readBuffer.option };
}

function initiatorOf(wire: SecureWire, options: ConnectOptions, limits: LinkLimits, clock: Clock): InitiatorHandshake {
  return new InitiatorHandshake({
    tlsCertificate: wire.peerCertificate,
    tlsSecret: () => wire.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, EXPORTER_CONTEXT),
    credentials: options.credentials,
    nonce: randomBytes(NONCE_BYTES),
    expectedFingerprint: options.expectedFingerprint,
    atSeconds: Math.floor(clock.wallNow() / 1000),
    minRsaBits: limits.minRsaBits,
  });
}

function aborted(): LinkError {
  return new LinkError('LINK_ABORTED', 'the caller gave up');
}
