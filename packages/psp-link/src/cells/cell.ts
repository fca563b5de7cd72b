import { LinkError } from '../errors.js';
import { FIXED_PAYLOAD_BYTES, isFixed, MAX_PAYLOAD_BYTES } from './command.js';

/** A cell, read. */
export interface Cell {
  /** 0 to 2^32 - 1; 0 for the connection itself. */
  readonly circuitId: number;
  /** 0 to 255. */
  readonly command: number;
  /** Of a fixed cell always 509 bytes, its padding among them. A view, good until the reader is asked for more. */
  readonly payload: Uint8Array;
}

/** Bytes before the payload of a fixed cell. */
export const FIXED_HEAD_BYTES = 5;
/** Bytes before the payload of a variable cell. */
export const VARIABLE_HEAD_BYTES = 7;

/** Bytes that a cell takes with this command and payload. */
export function cellBytes(command: number, payloadBytes: number): number {
  return isFixed(command) ? FIXED_HEAD_BYTES + FIXED_PAYLOAD_BYTES : VARIABLE_HEAD_BYTES + payloadBytes;
}

/**
 * Writes the bytes before a payload (WIRE.md, section 3).
 *
 * @returns where the payload begins
 */
export function writeCellHead(
  target: Uint8Array,
  at: number,
  circuitId: number,
  command: number,
  payloadBytes: number,
): number {
  target[at] = circuitId >>> 24;
  target[at + 1] = circuitId >>> 16;
  target[at + 2] = circuitId >>> 8;
  target[at + 3] = circuitId;
  target[at + 4] = command;
  if (isFixed(command)) return at + FIXED_HEAD_BYTES;
  target[at + 5] = payloadBytes >>> 8;
  target[at + 6] = payloadBytes;
  return at + VARIABLE_HEAD_BYTES;
}

/**
 * The bytes of a cell: new ones, the caller's own. A fixed cell is filled up with zeros.
 *
 * @throws LinkError LINK_TOO_LARGE when the payload does not fit the command
 */
export function encodeCell(circuitId: number, command: number, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const most = isFixed(command) ? FIXED_PAYLOAD_BYTES : MAX_PAYLOAD_BYTES;
  if (payload.length > most) {
    throw new LinkError('LINK_TOO_LARGE', 'the payload does not fit a cell', { command, found: payload.length });
  }
  const bytes = new Uint8Array(cellBytes(command, payload.length));
  bytes.set(payload, writeCellHead(bytes, 0, circuitId, command, payload.length));
  return bytes;
}
