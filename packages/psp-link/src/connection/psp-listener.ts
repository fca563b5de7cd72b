import { randomBytes } from 'node:crypto';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from 'node:tls';
import { silentLogger, systemClock, type Clock, type Logger, type Timer } from '@discovery-raft/raft-core';
import { CHALLENGE_BYTES } from '../cells/handshake-cells.js';
import { checkCredentials, type LinkCredentials } from '../credentials/credentials.js';
import { LinkError } from '../errors.js';
import { EXPORTER_BYTES, EXPORTER_CONTEXT, EXPORTER_LABEL } from '../handshake/authentication.js';
import { ResponderHandshake } from '../handshake/responder.js';
import { DEFAULT_LINK_LIMITS, type LinkLimits } from '../limits.js';
import { addressGroup, KeyedCount } from './address-count.js';
import { addCounters, countRefusal, newLinkCounters, type LinkCounters } from './counters.js';
import { PspConnection } from './psp-connection.js';
import { runHandshake } from './run-handshake.js';
import { serverContextOptions, TLS_OPTIONS } from './tls-options.js';
import { TlsWire } from './tls-wire.js';

/** Options of {@link PspListener.listen}. */
export interface ListenOptions {
  /** Address to listen on. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly credentials: LinkCredentials;
  /** Whether the node with this fingerprint, upper-case hex, may authenticate. Asked at each handshake. */
  readonly trusted: (fingerprint: string) => boolean;
  /** Whether peers may stay anonymous. Default true. */
  readonly allowAnonymous?: boolean;
  /** See {@link linkLimits}. */
  readonly limits?: LinkLimits;
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** Takes a connection whose handshake is over. Set its listeners before you return. */
  readonly onConnection: (connection: PspConnection) => void;
}

/** Counters of a listener: those of all its connections, and its own. */
export interface ListenerCounters extends LinkCounters {
  /** TCP connections that came, refused ones among them. */
  readonly connectionsAccepted: number;
  readonly connectionsAuthenticated: number;
  readonly connectionsAnonymous: number;
  /** Open now, those in their handshake among them. */
  readonly connectionsOpen: number;
  readonly handshakesOpen: number;
}

/** A TCP connection that is not a {@link PspConnection} yet. */
interface Guest {
  readonly socket: Socket;
  readonly address: string;
  readonly credentials: LinkCredentials;
  readonly deadlineAt: number;
  readonly timer: Timer;
}

/** Listens for PSP over TLS. Anonymous clients and authenticated nodes come in by the same door. */
export class PspListener {
  readonly #options: ListenOptions;
  readonly #limits: LinkLimits;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #tcp: TcpServer;
  /** Never listens: it is given connections that have passed the limits. */
  readonly #tls: TlsServer;
  /** By the far end's address and port, which is all that TLS gives back of a connection. */
  readonly #guests = new Map<string, Guest>();
  readonly #sockets = new Set<Socket>();
  /** What is to be destroyed to end a handshake, of TLS or of PSP. */
  readonly #handshakes = new Set<{ destroy(): void }>();
  readonly #connections = new Set<PspConnection>();
  readonly #perAddress = new KeyedCount();
  readonly #total = newLinkCounters();
  #credentials: LinkCredentials;
  #gone: (() => void)[] = [];
  #accepted = 0;
  #authenticated = 0;
  #anonymous = 0;

  private constructor(options: ListenOptions) {
    checkCredentials(options.credentials);
    this.#options = options;
    this.#limits = options.limits ?? DEFAULT_LINK_LIMITS;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#credentials = options.credentials;
    this.#tcp = createTcpServer({ noDelay: true }, (socket) => this.#accept(socket));
    // Its own timeout would never be reached: a guest's comes before.
    this.#tls = createTlsServer({ ...TLS_OPTIONS, ...serverContextOptions(this.#credentials) });
    this.#tls.on('secureConnection', (socket) => this.#secured(socket));
    // The connection has been destroyed by then; its end is counted where it was accepted.
    this.#tls.on('tlsClientError', (error) => this.#logger.debug('TLS could not be agreed on', { error }));
  }

  /**
   * Begins to listen.
   *
   * @throws LinkError LINK_LISTEN_FAILED, LINK_BAD_CREDENTIALS
   */
  static listen(options: ListenOptions): Promise<PspListener> {
    return new Promise((resolve, reject) => {
      const listener = new PspListener(options);
      const { host, port } = options;
      const failed = (cause: Error): void =>
        reject(new LinkError('LINK_LISTEN_FAILED', 'nobody can listen there', { host, port }, cause));
      listener.#tcp.once('error', failed);
      listener.#tcp.listen({ host, port }, () => {
        listener.#tcp.off('error', failed);
        listener.#tcp.on('error', (error) => listener.#logger.error('a connection could not be accepted', { error }));
        resolve(listener);
      });
    });
  }

  /** Port that it listens on. */
  get port(): number {
    return (this.#tcp.address() as AddressInfo | null)?.port ?? 0;
  }

  /** Counted since the beginning; a new object each time. */
  get counters(): ListenerCounters {
    const sum = newLinkCounters();
    addCounters(sum, this.#total);
    for (const connection of this.#connections) addCounters(sum, connection.counters);
    return {
      ...sum,
      connectionsAccepted: this.#accepted,
      connectionsAuthenticated: this.#authenticated,
      connectionsAnonymous: this.#anonymous,
      connectionsOpen: this.#sockets.size,
      handshakesOpen: this.#handshakes.size,
    };
  }

  /** Uses other credentials for connections that come from now on. @throws LinkError LINK_BAD_CREDENTIALS */
  setCredentials(credentials: LinkCredentials): void {
    checkCredentials(credentials);
    this.#tls.setSecureContext({ ...TLS_OPTIONS, ...serverContextOptions(credentials) });
    this.#credentials = credentials;
  }

  /** Takes no more connections, ends those that are there in order, and returns when all are gone. Idempotent. */
  async close(): Promise<void> {
    if (this.#tcp.listening) this.#tcp.close();
    const gone = new Promise<void>((resolve) => this.#gone.push(resolve));
    for (const connection of [...this.#connections]) connection.close();
    for (const handshake of [...this.#handshakes]) handshake.destroy();
    this.#left();
    await gone;
  }

  /** Something has come to its end: perhaps the last thing that `close` waits for. */
  #left(): void {
    if (this.#tcp.listening || this.#sockets.size + this.#handshakes.size + this.#connections.size > 0) return;
    for (const resolve of this.#gone.splice(0)) resolve();
  }

  #accept(socket: Socket): void {
    this.#accepted++;
    const address = socket.remoteAddress;
    const group = addressGroup(address ?? '');
    const refusal = this.#refusalOf(group);
    if (address === undefined || refusal !== undefined) {
      if (refusal !== undefined) {
        countRefusal(this.#total, 'LINK_TOO_MANY_CONNECTIONS');
        this.#logger.debug('a connection is refused', { address, ...refusal });
      }
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    const key = keyOf(socket);
    const guest = this.#admit(socket, address, key);
    this.#sockets.add(socket);
    this.#perAddress.add(group);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#perAddress.remove(group);
      // Still a guest of TLS, and no deadline or limit sent it away.
      if (this.#guests.get(key) === guest) this.#dismiss(key, 'LINK_TLS_FAILED');
      this.#left();
    });
    this.#tls.emit('connection', socket);
  }

  #refusalOf(group: string): Readonly<Record<string, unknown>> | undefined {
    const { maxConnections, maxConnectionsPerAddress, maxHandshakes } = this.#limits;
    if (this.#sockets.size >= maxConnections) return { maxConnections };
    if (this.#perAddress.get(group) >= maxConnectionsPerAddress) return { maxConnectionsPerAddress };
    if (this.#handshakes.size >= maxHandshakes) return { maxHandshakes };
    return undefined;
  }

  #admit(socket: Socket, address: string, key: string): Guest {
    const { tlsTimeoutMs, handshakeTimeoutMs } = this.#limits;
    const timer = this.#clock.setTimer(tlsTimeoutMs, () => {
      this.#dismiss(key, 'LINK_TIMEOUT');
      socket.destroy();
    });
    const deadlineAt = this.#clock.now() + handshakeTimeoutMs;
    const guest = { socket, address, credentials: this.#credentials, deadlineAt, timer };
    this.#guests.set(key, guest);
    this.#handshakes.add(socket);
    return guest;
  }

  /** A guest leaves before TLS is there. */
  #dismiss(key: string, code: LinkError['code']): void {
    const guest = this.#guests.get(key);
    if (guest === undefined) return;
    guest.timer.cancel();
    this.#guests.delete(key);
    this.#handshakes.delete(guest.socket);
    countRefusal(this.#total, code);
  }

  #secured(socket: TLSSocket): void {
    const key = keyOf(socket);
    const guest = this.#guests.get(key);
    if (guest === undefined) {
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    guest.timer.cancel();
    this.#guests.delete(key);
    this.#handshakes.delete(guest.socket);
    const wire = new TlsWire(socket, guest.address);
    const { trusted, allowAnonymous = true } = this.#options;
    const handshake = new ResponderHandshake({
      credentials: guest.credentials,
      tlsSecret: () => wire.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, EXPORTER_CONTEXT),
      challenge: randomBytes(CHALLENGE_BYTES),
      atSeconds: Math.floor(this.#clock.wallNow() / 1000),
      minRsaBits: this.#limits.minRsaBits,
      trusted,
      allowAnonymous,
    });
    const settings = { limits: this.#limits, clock: this.#clock, deadlineAt: guest.deadlineAt };
    this.#handshakes.add(wire);
    runHandshake(wire, handshake, settings, (result) => {
      this.#handshakes.delete(wire);
      if (result instanceof LinkError) {
        countRefusal(this.#total, result.code);
        this.#logger.debug('a handshake failed', { address: guest.address, error: result });
        return this.#left();
      }
      const parts = { wire, ...result, limits: this.#limits, clock: this.#clock, logger: this.#logger };
      const authenticated = result.peer.fingerprint !== null;
      this.#welcome(new PspConnection({ ...parts, initiator: false, authenticated }));
    });
  }

  #welcome(connection: PspConnection): void {
    if (connection.peer.fingerprint === null) this.#anonymous++;
    else this.#authenticated++;
    this.#connections.add(connection);
    connection.onClose(() => {
      this.#connections.delete(connection);
      addCounters(this.#total, connection.counters);
      this.#left();
    });
    try {
      this.#options.onConnection(connection);
    } catch (error) {
      this.#logger.error('a listener for connections threw, and the connection is closed', { error });
      connection.close();
    }
    connection.start();
  }
}

function keyOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
