import { once } from 'node:events';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { DEFAULT_LIMITS, segment, type EnvelopeLimits } from '@discovery-raft/psp-envelope';
import {
  connectPsp,
  exportLinkCredentials,
  generateLinkCredentials,
  MessageChannel,
  newChannelCounters,
  PspListener,
  type LinkCredentials,
  type PspStream,
} from '@discovery-raft/psp-link';
import { silentLogger } from '@discovery-raft/raft-core';
import type { Bench } from '../bench.js';
import { serveDirectory } from '../network/served-directory.js';
import { median } from '../rate.js';

// Both ends are in this process: one core encrypts and decrypts, ours and the raw copy alike.

const MIB = 1024 * 1024;
const directoryBytes = 8 * MIB;
const smallBytes = 64;
const smallBatch = 4096;

const limits: EnvelopeLimits = { ...DEFAULT_LIMITS, maxMessageBytes: 2 * directoryBytes };

let made: Promise<LinkCredentials> | undefined;

function credentials(): Promise<LinkCredentials> {
  const now = Math.floor(Date.now() / 1000);
  made ??= generateLinkCredentials({ notBefore: now - 3600, notAfter: now + 86_400 });
  return made;
}

/** Two ends of something, and how to be rid of it. */
interface Ends<End> {
  readonly from: End;
  readonly to: End;
  readonly close: () => Promise<void>;
}

async function rawTls(): Promise<Ends<TLSSocket>> {
  const pem = exportLinkCredentials(await credentials());
  const [, , cert, key] = pem.match(/-----BEGIN[^]+?-----END [A-Z ]+-----/g) ?? [];
  const server = createServer({ cert, key });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>;
  const to = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  const [from] = await accepted;
  for (const socket of [from, to]) socket.setNoDelay(true);
  return {
    from,
    to,
    close: async () => {
      to.destroy();
      from.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function pspStreams(authenticated: boolean): Promise<Ends<PspStream>> {
  const own = await credentials();
  let accept: (stream: PspStream) => void = () => {};
  const accepted = new Promise<PspStream>((resolve) => (accept = resolve));
  const listener = await PspListener.listen({
    host: '127.0.0.1',
    port: 0,
    credentials: own,
    trusted: () => true,
    onConnection: (connection) => connection.onStream(accept),
  });
  const connection = await connectPsp({
    host: '127.0.0.1',
    port: listener.port,
    ...(authenticated && { credentials: own }),
  });
  const to = await connection.openStream(2);
  return {
    from: await accepted,
    to,
    close: async () => {
      connection.close();
      await listener.close();
    },
  };
}

function channel(stream: PspStream, received: (bytes: number) => void): MessageChannel {
  return new MessageChannel(stream, {
    limits,
    logger: silentLogger,
    counters: newChannelCounters(),
    receive: ({ body }) => received(body.length),
  });
}

/** Something that sends one round, and resolves when all of it has arrived. */
type Round = () => Promise<void>;

async function perSecond(round: Round, unitsPerRound: number, seconds: number): Promise<number> {
  const end = performance.now() + seconds * 1000;
  const begin = performance.now();
  let rounds = 0;
  do {
    await round();
    rounds++;
  } while (performance.now() < end);
  return (rounds * unitsPerRound * 1000) / (performance.now() - begin);
}

/** Calls back each time so many bytes have come. */
function everyBytes(count: number): { add(bytes: number): void; next(): Promise<void> } {
  let seen = 0;
  let resolve: () => void = () => {};
  return {
    add: (bytes) => {
      seen += bytes;
      if (seen < count) return;
      seen -= count;
      resolve();
    },
    next: () => new Promise((fulfil) => (resolve = fulfil)),
  };
}

function rawRound({ from, to }: Ends<TLSSocket>, messages: readonly Uint8Array[]): Round {
  const arrival = everyBytes(messages.reduce((sum, { length }) => sum + length, 0));
  to.on('data', (chunk: Buffer) => arrival.add(chunk.length));
  return () => {
    const arrived = arrival.next();
    from.cork();
    for (const message of messages) from.write(message);
    from.uncork();
    return arrived;
  };
}

/** Whole messages, put together and checked at the other end. */
function messageRound({ from, to }: Ends<PspStream>, messages: readonly Uint8Array[]): Round {
  const arrival = everyBytes(messages.reduce((sum, { length }) => sum + length, 0));
  channel(to, (bytes) => arrival.add(bytes));
  const sender = channel(from, () => {});
  return async () => {
    const arrived = arrival.next();
    await Promise.all(messages.map((message) => sender.sendEncoded('discoveryRaftPacket', message)));
    await arrived;
  };
}

/** The pieces of one message that was prepared once, as every puller of a directory gets them. */
function pieceRound({ from, to }: Ends<PspStream>, messages: readonly Uint8Array[]): Round {
  const pieces = messages.flatMap((message) => segment(message));
  const arrival = everyBytes(pieces.reduce((sum, { length }) => sum + length, 0));
  to.onPiece((piece) => arrival.add(piece.length));
  return async () => {
    const arrived = arrival.next();
    await from.send(pieces);
    await arrived;
  };
}

/** What is measured, ready to run, and how to be rid of it. */
interface Ready {
  readonly round: Round;
  readonly close: () => Promise<void>;
}

function overStreams(
  authenticated: boolean,
  roundOf: (ends: Ends<PspStream>, messages: readonly Uint8Array[]) => Round,
  messages: readonly Uint8Array[],
): () => Promise<Ready> {
  return async () => {
    const ends = await pspStreams(authenticated);
    return { round: roundOf(ends, messages), close: ends.close };
  };
}

/** Ours and the same bytes by TLS alone, in turn. */
function compared(
  name: string,
  unit: string,
  ours: () => Promise<Ready>,
  messages: readonly Uint8Array[],
  units: number,
): Bench {
  return {
    name,
    unit,
    run: async ({ effort }) => {
      const raw = await rawTls();
      const { round: ourRound, close } = await ours();
      const rounds = [ourRound, rawRound(raw, messages)];
      const rates: number[][] = rounds.map(() => []);
      for (const round of rounds) await round();
      for (let repeat = 0; repeat < effort.repeats; repeat++) {
        for (const [i, round] of rounds.entries()) rates[i]?.push(await perSecond(round, units, effort.seconds));
      }
      await Promise.all([raw.close(), close()]);
      const [value = NaN, baseline] = rates.map(median);
      return { value, baseline };
    },
  };
}

const directory = [new Uint8Array(directoryBytes).fill(7)];
const small = Array.from({ length: smallBatch }, () => new Uint8Array(smallBytes).fill(7));

const mib = directoryBytes / MIB;

/** The pieces of a large message to an anonymous client; beside it, the bytes by TLS alone. */
const stream = compared('link/stream/8MiB', 'MiB/s', overStreams(false, pieceRound, directory), directory, mib);
/** A directory as a client pulls it from a node: asked for, answered in parts, put together, decoded. */
const pull = compared(
  'link/pull/8MiB',
  'MiB/s',
  async () => {
    const { pull: round, close } = await serveDirectory(await credentials(), directoryBytes);
    return { round, close };
  },
  directory,
  mib,
);
/** One message of that size to an anonymous client: encoded at one end, put together at the other. */
const message = compared('link/message/8MiB', 'MiB/s', overStreams(false, messageRound, directory), directory, mib);
/** A large message between nodes, where cells share records: encoded at one end, put together at the other. */
const bulk = compared('link/node/8MiB', 'MiB/s', overStreams(true, messageRound, directory), directory, mib);
/** Small messages between nodes, 4,096 queued at a time; beside it, the bytes by TLS alone in corked writes. */
const messages = compared(
  `link/node/${smallBytes}B`,
  'msg/s',
  overStreams(true, messageRound, small),
  small,
  smallBatch,
);

export default [stream, message, pull, bulk, messages];
