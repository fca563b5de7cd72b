import { SimulatedClock } from '@discovery-raft/raft-core';
import { encodeCell, type Cell } from '../src/cells/cell.js';
import { CellReader } from '../src/cells/cell-reader.js';
import { Command } from '../src/cells/command.js';
import { encodeStreamCreate } from '../src/cells/stream-cells.js';
import type { LinkError, PspConnection, PspStream } from '../src/index.js';
import { connectionOn, MemoryWire, type TestConnectionOptions } from './fixtures/memory-wire.js';

const NODE = new Uint8Array(32).fill(7);
/** An id that the peer chooses, when the peer has dialled. */
const THEIRS = 0x8000_0001;

let clock: SimulatedClock;
let wire: MemoryWire;
let connection: PspConnection;
let end: LinkError | null | undefined;

beforeEach(() => {
  clock = new SimulatedClock();
});

/** A connection that the test speaks with by bytes. */
function start(options: Partial<TestConnectionOptions> = {}): void {
  wire = new MemoryWire(clock);
  connection = connectionOn(wire, clock, { initiator: false, ...options });
  end = undefined;
  connection.onClose((error) => (end = error));
  connection.start();
}

function cells(): readonly Cell[] {
  const reader = new CellReader();
  const found: Cell[] = [];
  for (const bytes of wire.writes) {
    reader.push(bytes);
    for (let cell = reader.next(); cell !== null; cell = reader.next()) {
      found.push({ ...cell, payload: cell.payload.slice() });
    }
  }
  return found;
}

/** Cells as `id command first-bytes`. */
function said(): readonly string[] {
  return cells().map(({ circuitId, command, payload }) =>
    [circuitId.toString(16), command, ...payload.subarray(0, 1)].join(' '),
  );
}

function say(circuitId: number, command: number, payload: Uint8Array = new Uint8Array(0)): void {
  wire.receive(encodeCell(circuitId, command, payload));
}

/** Opens a stream from the far end. */
function incoming(id = THEIRS): PspStream {
  let opened: PspStream | undefined;
  connection.onStream((stream) => (opened = stream));
  say(id, Command.streamCreate, encodeStreamCreate({ namespace: 2 }));
  return opened!;
}

function outcome<T>(promise: Promise<T>): { value?: T | LinkError } {
  const box: { value?: T | LinkError } = {};
  promise.then(
    (value) => (box.value = value),
    (error: LinkError) => (box.value = error),
  );
  return box;
}

describe('keep-alive and deadlines', () => {
  test('after 25 s of silence a padding cell of zeros goes out, and again', async () => {
    start({ fingerprint: NODE });
    await clock.advance(24_999);
    expect(wire.writes).toEqual([]);
    await clock.advance(1);
    expect(wire.writes).toEqual([new Uint8Array(514).with(4, 1)]);
    await clock.advance(25_000);
    expect(wire.writes).toHaveLength(2);
  });

  test('padding that comes is ignored, and keeps the connection alive', async () => {
    start({ fingerprint: NODE });
    for (let i = 0; i < 10; i++) {
      await clock.advance(60_000);
      say(0, Command.padding);
    }
    expect(connection.open).toBe(true);
    expect(connection.counters).toMatchObject({ cellsReceived: 10, cellsIgnored: 0, bytesReceived: 5140 });
    await clock.advance(89_000);
    expect(end).toBeUndefined();
    await clock.advance(2_000);
    expect(end).toMatchObject({ code: 'LINK_TIMEOUT' });
    expect(connection.counters.refused).toEqual({ LINK_TIMEOUT: 1 });
  });

  test('an anonymous peer that sends nothing but padding makes room', async () => {
    start();
    for (let i = 0; i < 9; i++) {
      await clock.advance(30_000);
      say(0, Command.padding);
    }
    expect(connection.open).toBe(true);
    incoming();
    await clock.advance(50_000);
    expect(connection.open).toBe(true);
    for (let i = 0; i < 5; i++) {
      say(0, Command.padding);
      await clock.advance(60_000);
    }
    expect(end).toMatchObject({ code: 'LINK_TIMEOUT', details: { deadline: 'useful' } });
  });

  test('a cell that comes a byte at a time must still end in time', async () => {
    start({ fingerprint: NODE });
    const cell = encodeCell(0, Command.padding);
    for (const byte of cell.subarray(0, 100)) {
      wire.receive(Uint8Array.of(byte));
      await clock.advance(650);
      if (!connection.open) break;
    }
    expect(end).toMatchObject({ code: 'LINK_TIMEOUT', details: { deadline: 'cell' } });
    expect(wire.destroyed).toBe(true);
  });

  test('a peer that takes nothing is gone, and whoever waits for it learns it', async () => {
    start({ fingerprint: NODE });
    const stream = incoming();
    await clock.advance(10);
    wire.takes = false;
    const sent = outcome(stream.send([Uint8Array.of(1)]));
    const queued = outcome(stream.send([Uint8Array.of(2)]));
    for (let i = 0; i < 31; i++) {
      say(0, Command.padding);
      await clock.advance(1000);
    }
    expect(end).toMatchObject({ code: 'LINK_TIMEOUT', details: { deadline: 'write' } });
    expect([sent.value, queued.value]).toMatchObject([
      { code: 'LINK_CHANNEL_CLOSED' },
      { code: 'LINK_CHANNEL_CLOSED' },
    ]);
  });

  test('a peer that does not let go of a closed connection is cut off', async () => {
    start({ fingerprint: NODE });
    wire.takes = false;
    const stream = incoming();
    await clock.advance(1);
    connection.close();
    expect([connection.open, stream.open, wire.destroyed]).toEqual([false, false, false]);
    await clock.advance(999);
    expect(wire.destroyed).toBe(false);
    await clock.advance(2);
    expect(wire.destroyed).toBe(true);
    expect(end).toBeNull();
  });
});

describe('cells after the handshake', () => {
  test('create is answered with destroy, reason 2, and the connection goes on', async () => {
    start();
    say(5, Command.create, Uint8Array.of(1, 2, 3));
    await clock.advance(1);
    expect(wire.writes).toEqual([encodeCell(5, Command.destroy, Uint8Array.of(2))]);
    expect(wire.writes[0]).toHaveLength(514);
    expect(incoming().open).toBe(true);
  });

  test('unknown commands and circuits that do not exist are skipped and counted', () => {
    start();
    for (const command of [0, 6, 127, Command.created, Command.destroy, Command.relay]) say(9, command);
    for (const command of [137, 200, 255]) say(9, command, new Uint8Array(300));
    expect(connection.open).toBe(true);
    expect(connection.counters).toMatchObject({ cellsReceived: 9, cellsIgnored: 9 });
  });

  test.each([Command.versions, Command.authBypass, Command.certs, Command.authChallenge, Command.authenticate])(
    'a cell of the handshake ends the connection: %i',
    (command) => {
      start();
      say(0, command);
      expect(end).toMatchObject({ code: 'LINK_UNEXPECTED_CELL' });
      expect(wire.destroyed).toBe(true);
      expect(connection.counters.refused).toEqual({ LINK_UNEXPECTED_CELL: 1 });
    },
  );

  test.each<[string, number, number]>([
    ['a stream with the id of the connection', 0, Command.streamCreate],
    ['a stream with an id of this side', 1, Command.streamCreate],
    ['a piece of a stream that this side never opened', 1, Command.streamRelay],
    ['an answer to a stream that this side never opened', 7, Command.streamCreated],
  ])('%s ends the connection', (_, id, command) => {
    start();
    say(id, command, encodeStreamCreate({ namespace: 2 }));
    expect(end).toMatchObject({ code: 'LINK_UNEXPECTED_CELL' });
  });

  test.each<[string, Uint8Array, number]>([
    ['no namespace', new Uint8Array(3), 2],
    ['half a subcommand', new Uint8Array(6), 2],
    ['another namespace', encodeStreamCreate({ namespace: 3 }), 3],
  ])('a stream is refused and the connection goes on: %s', async (_, payload, reason) => {
    start();
    say(THEIRS, Command.streamCreate, payload);
    await clock.advance(1);
    expect(cells()).toEqual([{ circuitId: THEIRS, command: Command.streamDestroy, payload: Uint8Array.of(reason) }]);
    expect(connection.open).toBe(true);
  });

  test('a subcommand and a cookie are no reason to refuse', async () => {
    start();
    say(THEIRS, Command.streamCreate, encodeStreamCreate({ namespace: 2, subcommand: 5, cookie: new Uint8Array(9) }));
    await clock.advance(1);
    expect(said()).toEqual([`${THEIRS.toString(16)} ${Command.streamCreated}`]);
  });

  test('an id that is taken ends its stream with reason 4', async () => {
    start();
    const stream = incoming();
    say(THEIRS, Command.streamCreate, encodeStreamCreate({ namespace: 2 }));
    await clock.advance(1);
    expect(stream.open).toBe(false);
    expect(said().at(-1)).toBe(`${THEIRS.toString(16)} ${Command.streamDestroy} 4`);
    expect(incoming().open).toBe(true);
  });

  test('streams are counted before memory is taken for them', async () => {
    start({ limits: { maxStreams: 2 } });
    for (let i = 0; i < 3; i++) incoming(THEIRS + i);
    await clock.advance(1);
    expect(said().at(-1)).toBe(`${(THEIRS + 2).toString(16)} ${Command.streamDestroy} 0`);
    expect(connection.counters).toMatchObject({ streamsOpened: 2, refused: { LINK_TOO_MANY_STREAMS: 1 } });
    await expect(connection.openStream(2)).rejects.toMatchObject({ code: 'LINK_TOO_MANY_STREAMS' });
    say(THEIRS, Command.streamDestroy);
    expect(incoming(THEIRS + 3).open).toBe(true);
  });

  test('what was under way when a stream was closed is skipped', () => {
    start();
    const stream = incoming();
    stream.close();
    say(THEIRS, Command.streamRelay, new Uint8Array(100));
    say(THEIRS, Command.streamDestroy);
    expect(connection.open).toBe(true);
    expect(connection.counters).toMatchObject({ cellsIgnored: 1, refused: {} });
  });

  test.each<[string, number, Uint8Array]>([
    ['streamCreated for an open stream', Command.streamCreated, new Uint8Array(0)],
    ['a reason that is too long', Command.streamDestroy, new Uint8Array(2)],
  ])('ends the stream alone: %s', (_, command, payload) => {
    start();
    const stream = incoming();
    const other = incoming(THEIRS + 1);
    say(THEIRS, command, payload);
    expect([stream.open, other.open, connection.open]).toEqual([false, true, true]);
    expect(Object.values(connection.counters.refused)).toEqual([1]);
  });
});

describe('streams that this end opens', () => {
  const mine = 0x8000_0001;

  test('are open when the peer says so, and carry what came with that', async () => {
    start({ initiator: true });
    const opening = connection.openStream(2);
    await clock.advance(1);
    expect(cells()).toEqual([
      { circuitId: mine, command: Command.streamCreate, payload: encodeStreamCreate({ namespace: 2 }) },
    ]);
    wire.receive(
      new Uint8Array(
        Buffer.concat([
          encodeCell(mine, Command.streamCreated),
          encodeCell(mine, Command.streamRelay, Uint8Array.of(1)),
          encodeCell(mine, Command.streamRelay, Uint8Array.of(2)),
        ]),
      ),
    );
    const got: number[] = [];
    (await opening).onPiece((piece) => got.push(piece[0]!));
    expect(got).toEqual([1, 2]);
  });

  test.each<[string, number, Uint8Array, object]>([
    ['refused', Command.streamDestroy, Uint8Array.of(3), { code: 'LINK_STREAM_REFUSED', details: { reason: 3 } }],
    ['refused without a reason', Command.streamDestroy, new Uint8Array(0), { details: { reason: 0 } }],
    ['answered with more than nothing', Command.streamCreated, Uint8Array.of(1), { code: 'LINK_MALFORMED' }],
    ['answered with a piece', Command.streamRelay, Uint8Array.of(1), { code: 'LINK_UNEXPECTED_CELL' }],
  ])('are not open: %s', async (_, command, payload, error) => {
    start({ initiator: true });
    const opening = outcome(connection.openStream(2));
    await clock.advance(1);
    say(mine, command, payload);
    await clock.advance(1);
    expect(opening.value).toMatchObject(error);
    expect([connection.open, connection.streamCount]).toEqual([true, 0]);
  });

  test('are given up when the peer does not answer, and a late answer is skipped', async () => {
    start({ initiator: true });
    const opening = outcome(connection.openStream(2));
    await clock.advance(5001);
    expect(opening.value).toMatchObject({ code: 'LINK_TIMEOUT' });
    expect(said().at(-1)).toBe(`${mine.toString(16)} ${Command.streamDestroy} 0`);
    say(mine, Command.streamCreated);
    expect([connection.open, connection.streamCount, connection.counters.cellsIgnored]).toEqual([true, 0, 1]);
  });
});

describe('sending', () => {
  test('to an anonymous peer every cell is a write of its own, one after the other is taken', async () => {
    start();
    const stream = incoming();
    const pieces = [1, 2, 3].map((n) => Uint8Array.of(n));
    const all = [stream.send(pieces), stream.send([new Uint8Array(65_535)]), stream.send([Uint8Array.of(4)])];
    await clock.advance(1);
    await Promise.all(all);
    expect(wire.writes.map(({ length }) => length)).toEqual([7, 8, 8, 8, 65_542, 8]);
  });

  test('a client that stays anonymous writes so as well, though it knows the node', async () => {
    start({ initiator: true, fingerprint: NODE, authenticated: false });
    const opening = connection.openStream(2);
    await clock.advance(1);
    say(0x8000_0001, Command.streamCreated);
    const stream = await opening;
    const all = [1, 2, 3].map((n) => stream.send([Uint8Array.of(n)]));
    await clock.advance(1);
    await Promise.all(all);
    expect(wire.writes.map(({ length }) => length)).toEqual([11, 8, 8, 8]);
  });

  test('a peer that has shown to be no deployed client gets several cells a write, on every stream', async () => {
    start();
    const stream = incoming();
    const other = incoming(THEIRS + 1);
    await clock.advance(1);
    stream.shareRecords();
    const all = [1, 2, 3].flatMap((n) => [stream.send([Uint8Array.of(n)]), other.send([Uint8Array.of(n)])]);
    await clock.advance(1);
    await Promise.all(all);
    expect(wire.writes.map(({ length }) => length)).toEqual([7, 7, 6 * 8]);
  });

  test('nothing is handed over before the wire has taken what it has', async () => {
    start();
    const stream = incoming();
    await clock.advance(1);
    wire.takes = false;
    const sent = outcome(stream.send([Uint8Array.of(1), Uint8Array.of(2)]));
    await clock.advance(100);
    expect(wire.writes).toHaveLength(2);
    expect(sent.value).toBeUndefined();
  });

  test('to a node, cells share writes, up to the bytes that may be in flight', async () => {
    start({ fingerprint: NODE, limits: { maxInFlightBytes: 1000 } });
    const stream = incoming();
    await clock.advance(1);
    const all = Array.from({ length: 300 }, (_, i) => stream.send([Uint8Array.of(i)]));
    await clock.advance(1);
    await Promise.all(all);
    expect(wire.writes.slice(1).map(({ length }) => length)).toEqual([1000, 1000, 400]);
    expect(
      cells()
        .slice(1)
        .map(({ payload }) => payload[0]),
    ).toEqual(Array.from({ length: 300 }, (_, i) => i % 256));
    expect(connection.counters).toMatchObject({ cellsSent: 301, bytesSent: 7 + 2400 });
  });

  test('cells of main go before queued cells of bulk, and control before both', async () => {
    start({ fingerprint: NODE, limits: { maxInFlightBytes: 70_000 } });
    const bulk = incoming();
    bulk.lane = 'bulk';
    const main = incoming(THEIRS + 1);
    await clock.advance(1);
    const large = bulk.send(Array.from({ length: 4 }, () => new Uint8Array(65_535).fill(9)));
    await Promise.resolve();
    const urgent = main.send([Uint8Array.of(1)]);
    say(5, Command.create);
    await clock.advance(1);
    await Promise.all([large, urgent]);
    expect(said().slice(2)).toEqual([
      '80000001 134 9',
      '5 4 2',
      '80000002 134 1',
      ...Array<string>(3).fill('80000001 134 9'),
    ]);
  });

  test('what would exceed the queue of a stream or of the connection is refused, and room comes back', async () => {
    start({ limits: { maxQueuedStreamBytes: 1000, maxQueuedConnectionBytes: 1500 } });
    const a = incoming();
    const b = incoming(THEIRS + 1);
    const first = a.send([new Uint8Array(800)]);
    await expect(a.send([new Uint8Array(201)])).rejects.toMatchObject({
      code: 'LINK_CHANNEL_OVERLOADED',
      retryable: true,
      details: { bytes: 201, queued: 800 },
    });
    await expect(b.send([new Uint8Array(701)])).rejects.toMatchObject({ code: 'LINK_CHANNEL_OVERLOADED' });
    const second = b.send([new Uint8Array(700)]);
    await clock.advance(1);
    await Promise.all([first, second]);
    const third = a.send([new Uint8Array(1000)]);
    await clock.advance(1);
    await third;
    await expect(a.send([new Uint8Array(65_536)])).rejects.toMatchObject({ code: 'LINK_TOO_LARGE' });
    await expect(a.send([])).resolves.toBeUndefined();
  });

  test('closing a stream drops what waits of it, and nothing of others', async () => {
    start();
    const a = incoming();
    const b = incoming(THEIRS + 1);
    await clock.advance(1);
    wire.writes.length = 0;
    const blocked = b.send([Uint8Array.of(0)]);
    await Promise.resolve();
    const dropped = outcome(a.send([Uint8Array.of(1)]));
    const kept = b.send([Uint8Array.of(2)]);
    a.close();
    await clock.advance(1);
    await Promise.all([blocked, kept]);
    expect(dropped.value).toMatchObject({ code: 'LINK_CHANNEL_CLOSED' });
    expect(said()).toEqual(['80000002 134 0', '80000001 135 1', '80000002 134 2']);
  });
});

describe('receiving', () => {
  test('a stream that nobody reads holds the connection up, until somebody does', async () => {
    start({ limits: { maxUnreadStreamBytes: 2000 } });
    const stream = incoming();
    for (let i = 0; i < 4; i++) say(THEIRS, Command.streamRelay, new Uint8Array(500).fill(i));
    expect(wire.paused).toBe(true);
    await clock.advance(20_000);
    const got: number[] = [];
    stream.onPiece((piece) => got.push(piece[0]!));
    expect([wire.paused, connection.open]).toEqual([false, true]);
    expect(got).toEqual([0, 1, 2, 3]);
  });

  test('a reader may pause; what comes meanwhile waits, in order', () => {
    start();
    const stream = incoming();
    const got: number[] = [];
    stream.onPiece((piece) => {
      got.push(piece[0]!);
      if (piece[0] === 1) stream.pause();
    });
    for (let i = 0; i < 4; i++) say(THEIRS, Command.streamRelay, Uint8Array.of(i));
    expect(got).toEqual([0, 1]);
    stream.resume();
    expect(got).toEqual([0, 1, 2, 3]);
  });

  test('tiny pieces count with the memory that they take', () => {
    start({ limits: { maxUnreadStreamBytes: 2000 } });
    incoming();
    for (let i = 0; i < 8; i++) say(THEIRS, Command.streamRelay, Uint8Array.of(i));
    expect(wire.paused).toBe(true);
  });

  test('a stream that is not read for too long ends alone, and the others go on', async () => {
    start({ limits: { maxUnreadStreamBytes: 100 } });
    const stuck = incoming();
    const other = incoming(THEIRS + 1);
    const got: number[] = [];
    other.onPiece((piece) => got.push(piece[0]!));
    say(THEIRS, Command.streamRelay, Uint8Array.of(1));
    say(THEIRS + 1, Command.streamRelay, Uint8Array.of(2));
    expect(got).toEqual([]);
    await clock.advance(30_001);
    expect([stuck.open, other.open, connection.open]).toEqual([false, true, true]);
    expect(got).toEqual([2]);
    expect(connection.counters.refused).toEqual({ LINK_CHANNEL_OVERLOADED: 1 });
  });

  test('answers that the peer does not take make this end stop reading', async () => {
    start();
    wire.takes = false;
    for (let i = 0; i < 300; i++) say(i + 1, Command.create);
    expect(wire.paused).toBe(true);
    expect(connection.counters.cellsReceived).toBeLessThan(140);
    await clock.advance(31_000);
    expect(end).toMatchObject({ code: 'LINK_TIMEOUT', details: { deadline: 'write' } });
  });

  test('a listener that throws ends its stream, and no other', async () => {
    start();
    const stream = incoming();
    const other = incoming(THEIRS + 1);
    stream.onPiece(() => {
      throw new Error('not what I know');
    });
    say(THEIRS, Command.streamRelay, Uint8Array.of(1));
    expect([stream.open, other.open, connection.open]).toEqual([false, true, true]);
    connection.onStream(() => {
      throw new Error('not now');
    });
    say(THEIRS + 2, Command.streamCreate, encodeStreamCreate({ namespace: 2 }));
    await clock.advance(1);
    expect(said().at(-1)).toBe(`${(THEIRS + 2).toString(16)} ${Command.streamDestroy} 1`);
    expect(connection.open).toBe(true);
  });
});
