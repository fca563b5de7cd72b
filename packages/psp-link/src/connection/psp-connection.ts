import { formatFingerprint } from '@discovery-raft/psp-pki';
import type { Clock, Logger } from '@discovery-raft/raft-core';
import { encodeCell, type Cell } from '../cells/cell.js';
import type { CellReader } from '../cells/cell-reader.js';
import { CIRCUIT_NOT_SERVED, Command, commandNameOf, CONNECTION_ID, MAX_PAYLOAD_BYTES } from '../cells/command.js';
import { LinkError, toLinkError } from '../errors.js';
import type { HandshakePeer } from '../handshake/handshake.js';
import type { LinkLimits } from '../limits.js';
import { CellWriter, type Lane } from './cell-writer.js';
import { countRefusal, newLinkCounters, type LinkCounters } from './counters.js';
import { Deadlines } from './deadlines.js';
import type { PspStream } from './psp-stream.js';
import type { SecureWire } from './secure-wire.js';
import { StreamTable } from './stream-table.js';

/** Who is at the other end of a connection. */
export interface ConnectionPeer {
  /** Upper-case hex of 32 bytes; null for one that did not authenticate. */
  readonly fingerprint: string | null;
  /** IP address. */
  readonly address: string;
  /** DER X.509; not of an anonymous peer. */
  readonly identityCertificate?: Uint8Array;
}

/** Options of {@link PspConnection.openStream}. */
export interface OpenStreamOptions {
  /** Default `main`. */
  readonly lane?: Lane;
  readonly subcommand?: number;
  readonly cookie?: Uint8Array;
}

/** What a connection is made of, once its handshake is over. */
export interface ConnectionParts {
  readonly wire: SecureWire;
  /** May hold bytes that came behind the handshake. */
  readonly reader: CellReader;
  readonly peer: HandshakePeer;
  readonly initiator: boolean;
  /** Whether the initiator has authenticated: both ends are nodes. */
  readonly authenticated: boolean;
  readonly limits: LinkLimits;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Control cells that may wait for the peer to read; more of its cells are not read before. */
const MAX_CONTROL_BYTES = 65_536;

type DeadlineName = 'padding' | 'idle' | 'useful' | 'cell' | 'write' | 'unread' | 'close';

/**
 * A connection after its handshake: streams, keep-alive, and every limit of them (WIRE.md, section 3).
 *
 * Cells that no correct peer sends end the connection; a stream that goes wrong ends alone.
 */
export class PspConnection {
  readonly peer: ConnectionPeer;
  /** Whether this end opened it. */
  readonly initiator: boolean;
  /** Counted by this connection. Plain data: read it, do not write to it. */
  readonly counters: Readonly<LinkCounters>;
  readonly #counters: LinkCounters;
  readonly #parts: ConnectionParts;
  readonly #writer: CellWriter;
  readonly #streams: StreamTable;
  readonly #deadlines: Deadlines<DeadlineName>;
  readonly #pauses = new Set<'unread' | 'control'>();
  #state: 'open' | 'closing' | 'closed' = 'open';
  #end: LinkError | null = null;
  #closeListeners: ((error: LinkError | null) => void)[] = [];

  /** @internal Made by {@link PspListener} and {@link connectPsp}. */
  constructor(parts: ConnectionParts) {
    const { wire, peer, limits, clock } = parts;
    this.#parts = parts;
    this.initiator = parts.initiator;
    this.peer = {
      fingerprint: peer.fingerprint === null ? null : formatFingerprint(peer.fingerprint),
      address: wire.address,
      ...(peer.identityCertificate !== undefined && { identityCertificate: peer.identityCertificate }),
    };
    this.counters = this.#counters = newLinkCounters();
    this.#deadlines = new Deadlines(clock, (name) => this.#reached(name));
    this.#writer = new CellWriter(wire, limits.maxInFlightBytes, {
      written: (bytes, cells) => this.#written(bytes, cells),
      progressed: () => this.#progressed(),
    });
    this.#writer.coalesce = parts.authenticated;
    this.#streams = new StreamTable({
      initiator: parts.initiator,
      limits,
      clock,
      logger: parts.logger,
      writer: this.#writer,
      counters: this.#counters,
      unreadChanged: (full) => this.#unreadChanged(full),
    });
  }

  /** False as soon as either end closes. */
  get open(): boolean {
    return this.#state === 'open';
  }

  /** Streams that are open or being opened. */
  get streamCount(): number {
    return this.#streams.size;
  }

  /** @internal Begins to read. The caller has told everybody about the connection. */
  start(): void {
    const { wire, limits, clock } = this.#parts;
    this.#deadlines.set('padding', limits.paddingAfterMs);
    this.#deadlines.set('idle', limits.idleTimeoutMs);
    if (this.#isAnonymousClient()) this.#deadlines.set('useful', limits.anonymousIdleTimeoutMs);
    this.#parts.reader.maxPayloadBytes = MAX_PAYLOAD_BYTES;
    this.#guarded(() => this.#readCells(clock.now()));
    wire.attach({ data: (chunk) => this.#received(chunk), closed: (error) => this.#closed(error) });
    if (this.#state !== 'closed' && this.#pauses.size === 0) wire.resume();
  }

  /**
   * Opens a stream.
   *
   * @param namespace see {@link StreamNamespace}
   * @throws LinkError LINK_STREAM_REFUSED, LINK_TIMEOUT, LINK_TOO_MANY_STREAMS, LINK_CHANNEL_CLOSED
   */
  openStream(namespace: number, options: OpenStreamOptions = {}): Promise<PspStream> {
    if (this.#state !== 'open') return Promise.reject(new LinkError('LINK_CHANNEL_CLOSED', 'the connection is closed'));
    return this.#streams.open(namespace, options);
  }

  /** Sets who is told of streams that the peer opens. Those that it opened before wait for it. */
  onStream(listener: (stream: PspStream) => void): void {
    this.#streams.onStream(listener);
  }

  /** Called once at the end: null when either end closed in order, else why it ended. */
  onClose(listener: (error: LinkError | null) => void): void {
    if (this.#state === 'closed') listener(this.#end);
    else this.#closeListeners.push(listener);
  }

  /** Ends all streams with reason 1, and then the connection; idempotent. What waits to be sent is dropped. */
  close(reason: LinkError | null = null): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#end = reason;
    this.#streams.closeAll(new LinkError('LINK_CHANNEL_CLOSED', 'the connection was closed', {}, reason ?? undefined));
    this.#deadlines.clearAll();
    this.#deadlines.set('close', this.#parts.limits.closeTimeoutMs);
    // Only a wire that is read notices its end.
    if (this.#pauses.size > 0) this.#parts.wire.resume();
    if (this.#writer.idle) this.#parts.wire.end();
  }

  /** An anonymous peer that dialled: it must do something for its place. */
  #isAnonymousClient(): boolean {
    return !this.initiator && this.peer.fingerprint === null;
  }

  #received(chunk: Uint8Array): void {
    if (this.#state !== 'open') return;
    const { reader, limits, clock } = this.#parts;
    const now = clock.now();
    this.#counters.bytesReceived += chunk.length;
    this.#deadlines.set('idle', limits.idleTimeoutMs, now);
    this.#guarded(() => {
      reader.push(chunk);
      this.#readCells(now);
    });
  }

  #readCells(now: number): void {
    const { reader, limits } = this.#parts;
    let cells = 0;
    let useful = 0;
    for (let cell = reader.next(); cell !== null; cell = reader.next()) {
      cells++;
      if (cell.command === Command.padding) continue;
      useful++;
      this.#take(cell);
      if (this.#state !== 'open') break;
    }
    this.#counters.cellsReceived += cells;
    if (this.#state !== 'open') return;
    if (useful > 0 && this.#isAnonymousClient()) this.#deadlines.set('useful', limits.anonymousIdleTimeoutMs, now);
    if (!reader.insideCell) this.#deadlines.clear('cell');
    else if (cells > 0 || !this.#deadlines.has('cell')) this.#deadlines.set('cell', limits.cellTimeoutMs, now);
    if (this.#writer.controlBytes > MAX_CONTROL_BYTES) this.#pause('control');
  }

  #take(cell: Cell): void {
    const { command, circuitId } = cell;
    if (command >= Command.streamCreate && command <= Command.streamCreated) return this.#streams.take(cell);
    if (command === Command.create && circuitId !== CONNECTION_ID) {
      // Circuits belong to onion nodes. The connection goes on.
      this.#writer.control(encodeCell(circuitId, Command.destroy, Uint8Array.of(CIRCUIT_NOT_SERVED)));
      return;
    }
    if (command >= Command.versions && command <= Command.authenticate) {
      throw new LinkError('LINK_UNEXPECTED_CELL', 'the handshake is over', { command: commandNameOf(command) });
    }
    // Circuits that do not exist, and commands of a later version: their length is known, so they can be skipped.
    this.#counters.cellsIgnored++;
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      // Whatever it is: bytes of one peer must not end the process.
      this.#fail(toLinkError(error));
    }
  }

  #written(bytes: number, cells: number): void {
    const { limits, clock } = this.#parts;
    this.#counters.bytesSent += bytes;
    this.#counters.cellsSent += cells;
    if (this.#state !== 'open') return;
    const now = clock.now();
    this.#deadlines.set('padding', limits.paddingAfterMs, now);
    if (!this.#deadlines.has('write')) this.#deadlines.set('write', limits.writeTimeoutMs, now);
  }

  #progressed(): void {
    if (this.#state === 'closing' && this.#writer.idle) this.#parts.wire.end();
    if (this.#state !== 'open') return;
    if (this.#writer.inFlightBytes > 0) this.#deadlines.set('write', this.#parts.limits.writeTimeoutMs);
    else this.#deadlines.clear('write');
    if (this.#writer.controlBytes <= MAX_CONTROL_BYTES / 2) this.#resume('control');
  }

  #unreadChanged(full: boolean): void {
    if (this.#state !== 'open') return;
    if (full) {
      this.#pause('unread');
      if (!this.#deadlines.has('unread')) this.#deadlines.set('unread', this.#parts.limits.unreadTimeoutMs);
    } else {
      this.#deadlines.clear('unread');
      this.#resume('unread');
    }
  }

  #pause(why: 'unread' | 'control'): void {
    if (this.#pauses.size === 0) this.#parts.wire.pause();
    this.#pauses.add(why);
  }

  #resume(why: 'unread' | 'control'): void {
    if (!this.#pauses.delete(why) || this.#pauses.size > 0) return;
    // While nothing was read, nothing could come.
    this.#deadlines.set('idle', this.#parts.limits.idleTimeoutMs);
    this.#parts.wire.resume();
  }

  #reached(name: DeadlineName): void {
    const { limits, wire, reader } = this.#parts;
    switch (name) {
      case 'padding':
        this.#writer.control(encodeCell(CONNECTION_ID, Command.padding));
        reader.release();
        return this.#deadlines.set('padding', limits.paddingAfterMs);
      case 'unread':
        return this.#streams.endFull();
      case 'close':
        return wire.destroy();
      case 'idle':
        // Whoever does not read cannot tell whether the peer is silent.
        if (this.#pauses.size > 0) return this.#deadlines.set('idle', limits.idleTimeoutMs);
        return this.#fail(new LinkError('LINK_TIMEOUT', 'the peer has fallen silent', { after: limits.idleTimeoutMs }));
      case 'useful':
        return this.#fail(new LinkError('LINK_TIMEOUT', 'an anonymous peer asks for nothing', { deadline: name }));
      case 'cell':
        return this.#fail(new LinkError('LINK_TIMEOUT', 'a cell was begun and not ended', { deadline: name }));
      case 'write':
        return this.#fail(new LinkError('LINK_TIMEOUT', 'the peer takes nothing', { deadline: name }));
    }
  }

  #fail(error: LinkError): void {
    if (this.#state !== 'open') return;
    countRefusal(this.#counters, error.code);
    const level = error.code === 'LINK_INTERNAL' ? 'error' : 'debug';
    this.#parts.logger[level]('a connection is ended', {
      peer: this.peer.fingerprint,
      address: this.peer.address,
      error,
    });
    this.#end = error;
    this.#parts.wire.destroy();
    this.#closed(error);
  }

  #closed(error: LinkError | null): void {
    if (this.#state === 'closed') return;
    if (this.#state === 'open' && this.#end === null) {
      this.#end = error;
      if (error !== null) countRefusal(this.#counters, error.code);
    }
    this.#state = 'closed';
    this.#deadlines.clearAll();
    const gone = new LinkError('LINK_CHANNEL_CLOSED', 'the connection ended', {}, this.#end ?? undefined);
    this.#writer.close(gone);
    this.#streams.connectionEnded(gone);
    for (const listener of this.#closeListeners.splice(0)) {
      try {
        listener(this.#end);
      } catch (failure) {
        this.#parts.logger.error('a listener for the end of a connection threw', { error: failure });
      }
    }
  }
}
