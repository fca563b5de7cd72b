import type { Cell } from '../cells/cell.js';
import { Command, commandNameOf, CONNECTION_ID } from '../cells/command.js';
import { LinkError } from '../errors.js';

/** Who is at the other end, once the handshake is over. */
export interface HandshakePeer {
  /** 32 bytes; null for one that stayed anonymous. */
  readonly fingerprint: Uint8Array | null;
  /** DER; not of an anonymous peer. */
  readonly identityCertificate?: Uint8Array;
}

/** What follows from a cell. */
export interface HandshakeStep {
  /** Whole cells to send, in this order. */
  readonly write: readonly Uint8Array[];
  /** Set by the last step. */
  readonly peer?: HandshakePeer;
}

/**
 * One side of the handshake (WIRE.md, section 4): cells in, cells and a decision out. It does no I/O and knows no time;
 * after it has thrown, or has named the peer, it takes nothing more.
 */
export interface Handshake {
  /** What is waited for, for messages and counters. */
  readonly step: string;
  /** Cells to send before anything was received. */
  start(): readonly Uint8Array[];
  /** @throws LinkError; the connection must end */
  receive(cell: Cell): HandshakeStep;
}

/** Nothing to send, and not the end. */
export const WAIT: HandshakeStep = { write: [] };

/** Whether a cell belongs to the handshake. Padding does not. @throws LinkError LINK_UNEXPECTED_CELL */
export function isHandshakeCell({ circuitId, command }: Cell): boolean {
  if (command === Command.padding) return false;
  if (circuitId !== CONNECTION_ID) {
    throw new LinkError('LINK_UNEXPECTED_CELL', 'a circuit in the handshake', { circuitId, command });
  }
  return true;
}

/** What a cell is refused with that is not the one which is waited for. */
export function unexpected(cell: Cell, step: string): LinkError {
  const command = commandNameOf(cell.command) ?? cell.command;
  return new LinkError('LINK_UNEXPECTED_CELL', 'a cell that does not belong here', { command, step });
}
