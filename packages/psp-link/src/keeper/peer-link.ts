import type { Clock, Timer } from '@discovery-raft/raft-core';
import type { ByteChannel } from '../channel/byte-channel.js';
import { StreamNamespace } from '../cells/command.js';
import type { PspConnection } from '../connection/psp-connection.js';
import type { PspStream } from '../connection/psp-stream.js';
import { LinkError } from '../errors.js';

/** A live link to a trusted peer: two streams of one authenticated connection. It ends as a whole. */
export interface PeerLink {
  /** Id of the peer, as its owner named it. */
  readonly peer: string;
  /** Whether this end dialled. */
  readonly initiator: boolean;
  /** For everything that must be prompt, and in order. */
  readonly main: ByteChannel;
  /** For what is large and may wait: cells of `main` go before it. The same as `main` when the peer offers one stream. */
  readonly bulk: ByteChannel;
  /** Called once when the link has ended: null when either end closed it in order. */
  onClose(listener: (error: LinkError | null) => void): void;
  /** Ends the link in order. */
  close(): void;
}

/** A link together with its connection. */
export interface HeldLink extends PeerLink {
  readonly connection: PspConnection;
}

/** How long the second stream may lag behind the first, in milliseconds, before the peer counts as one that has none. */
const BULK_GRACE_MS = 1_000;

function hold(peer: string, connection: PspConnection, main: PspStream, bulk: PspStream): HeldLink {
  const end = (): void => connection.close();
  main.onClose(end);
  bulk.onClose(end);
  return {
    peer,
    connection,
    initiator: connection.initiator,
    main,
    bulk,
    onClose: (listener) => connection.onClose(listener),
    close: end,
  };
}

/**
 * Opens the two streams of a link on a connection that this end dialled. Both are asked for at once, main first.
 *
 * @throws LinkError when the peer refuses the main stream; the connection is closed then
 */
export async function openLink(peer: string, connection: PspConnection): Promise<HeldLink> {
  const main = connection.openStream(StreamNamespace.discovery);
  const bulk = connection.openStream(StreamNamespace.discovery, { lane: 'bulk' }).catch(() => main);
  try {
    const [first, second] = await Promise.all([main, bulk]);
    return hold(peer, connection, first, second);
  } catch (error) {
    connection.close();
    throw error;
  }
}

/**
 * Waits for the two streams of a link on a connection that the peer dialled: the first is main.
 *
 * @param timeoutMs for the first
 * @throws LinkError LINK_TIMEOUT, LINK_CHANNEL_CLOSED; the connection is closed then
 */
export function awaitLink(peer: string, connection: PspConnection, clock: Clock, timeoutMs: number): Promise<HeldLink> {
  return new Promise((resolve, reject) => {
    let main: PspStream | null = null;
    let timer: Timer = clock.setTimer(timeoutMs, () => {
      connection.close();
      reject(new LinkError('LINK_TIMEOUT', 'the peer opens no stream', { peer }));
    });
    const ready = (first: PspStream, second: PspStream): void => {
      timer.cancel();
      resolve(hold(peer, connection, first, second));
    };
    let complete = false;
    connection.onStream((stream) => {
      if (complete) return stream.close();
      if (main === null) {
        const first = (main = stream);
        timer.cancel();
        timer = clock.setTimer(BULK_GRACE_MS, () => {
          complete = true;
          ready(first, first);
        });
        return;
      }
      complete = true;
      stream.lane = 'bulk';
      ready(main, stream);
    });
    connection.onClose((error) => {
      timer.cancel();
      reject(error ?? new LinkError('LINK_CHANNEL_CLOSED', 'the peer closed the connection', { peer }));
    });
  });
}
