import type { Clock, Timer } from '@discovery-raft/raft-core';
import { CellReader } from '../cells/cell-reader.js';
import { LinkError, toLinkError } from '../errors.js';
import type { Handshake, HandshakePeer } from '../handshake/handshake.js';
import type { LinkLimits } from '../limits.js';
import { CellWriter } from './cell-writer.js';
import type { SecureWire } from './secure-wire.js';

/** Options of {@link runHandshake}. */
export interface RunHandshakeOptions {
  readonly limits: LinkLimits;
  readonly clock: Clock;
  /** Monotonic milliseconds at which the whole handshake must be over. */
  readonly deadlineAt: number;
}

/** A handshake that is over. */
export interface HandshakeResult {
  readonly peer: HandshakePeer;
  /** With what came behind the last cell of the handshake. */
  readonly reader: CellReader;
}

/**
 * Lets a handshake talk over a wire, each cell in a record of its own, within its deadlines. Nobody is attached to the
 * wire after it, and it is paused: the caller must attach at once.
 *
 * @param done called once; on an error the wire has been destroyed
 * @returns ends it early, with an error of the caller's
 */
export function runHandshake(
  wire: SecureWire,
  handshake: Handshake,
  options: RunHandshakeOptions,
  done: (result: HandshakeResult | LinkError) => void,
): (error: LinkError) => void {
  const { limits, clock, deadlineAt } = options;
  const reader = new CellReader(limits.maxHandshakeCellBytes);
  let timer: Timer | null = null;
  let peer: HandshakePeer | undefined;
  let over = false;

  const finish = (result: HandshakeResult | LinkError): void => {
    if (over) return;
    over = true;
    timer?.cancel();
    writer.close(new LinkError('LINK_CONNECTION_CLOSED', 'the handshake is over'));
    if (result instanceof LinkError) wire.destroy();
    done(result);
  };
  const fail = (error: LinkError): void => finish(error);
  const finishWhenSent = (): void => {
    if (peer !== undefined && writer.idle) finish({ peer, reader });
  };
  const writer = new CellWriter(wire, limits.maxInFlightBytes, { written: () => {}, progressed: finishWhenSent });
  const waitForStep = (): void => {
    timer?.cancel();
    const delayMs = Math.max(0, Math.min(limits.stepTimeoutMs, deadlineAt - clock.now()));
    const { step } = handshake;
    timer = clock.setTimer(delayMs, () =>
      fail(new LinkError('LINK_TIMEOUT', 'the handshake takes too long', { step })),
    );
  };
  const read = (chunk: Uint8Array): void => {
    reader.push(chunk);
    while (!over && peer === undefined) {
      const cell = reader.next();
      if (cell === null) return;
      const before = handshake.step;
      const step = handshake.receive(cell);
      peer = step.peer;
      for (const bytes of step.write) writer.control(bytes);
      if (handshake.step !== before) waitForStep();
    }
    // What follows is for the connection, which resumes the wire.
    wire.pause();
    reader.keep();
    finishWhenSent();
  };
  waitForStep();
  for (const bytes of handshake.start()) writer.control(bytes);
  wire.attach({
    data: (chunk) => {
      try {
        read(chunk);
      } catch (error) {
        // Whatever it is: bytes of one peer must not end the process.
        fail(toLinkError(error));
      }
    },
    closed: (error) => {
      fail(error ?? new LinkError('LINK_CONNECTION_CLOSED', 'the peer ended the connection', { step: handshake.step }));
    },
  });
  return fail;
}
