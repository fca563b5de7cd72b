import { DEFAULT_LIMITS, discoveryMessage } from '@discovery-raft/psp-envelope';
import { silentLogger, SimulatedClock } from '@discovery-raft/raft-core';
import fc from 'fast-check';
import { encodeCell } from '../src/cells/cell.js';
import { Command } from '../src/cells/command.js';
import { PspConnection } from '../src/connection/psp-connection.js';
import { runHandshake } from '../src/connection/run-handshake.js';
import type { Handshake } from '../src/handshake/handshake.js';
import {
  LINK_ERROR_CODES,
  LinkError,
  linkLimits,
  MessageChannel,
  newChannelCounters,
  type PspStream,
} from '../src/index.js';
import { CLIENT, initiator, responder } from './fixtures/dialogue.js';
import { MemoryWire, wirePair } from './fixtures/memory-wire.js';

// Sessions are recorded once, from both ends of this package; then what one side sent is mutated and fed to the other,
// which must do one of two things: go on, or end that stream or connection with a typed error.

const LIMITS = linkLimits({ maxUnreadStreamBytes: 65_536, maxStreams: 8 });
const CODES: ReadonlySet<string> = new Set(LINK_ERROR_CODES);

type Side = 'listener' | 'dialler';

/** What became of one side. */
interface End {
  connection: PspConnection | null;
  /** Undefined while it goes on. */
  error: LinkError | null | undefined;
}

/** Runs one side on a wire: handshake, connection, and a message channel on every stream. */
function run(side: Side, machine: Handshake, wire: MemoryWire, clock: SimulatedClock): End {
  const end: End = { connection: null, error: undefined };
  const deadlineAt = clock.now() + LIMITS.handshakeTimeoutMs;
  runHandshake(wire, machine, { limits: LIMITS, clock, deadlineAt }, (result) => {
    if (result instanceof LinkError) {
      end.error = result;
      return;
    }
    const parts = { wire, ...result, limits: LIMITS, clock, logger: silentLogger };
    const connection = new PspConnection({ ...parts, initiator: side === 'dialler', authenticated: false });
    end.connection = connection;
    connection.onClose((error) => (end.error = error));
    connection.onStream((stream) => answer(stream));
    if (side === 'dialler') connection.openStream(2).then(ask, () => {});
    connection.start();
  });
  return end;
}

function messagesOn(stream: PspStream, receive: (channel: MessageChannel) => void): MessageChannel {
  const options = { limits: DEFAULT_LIMITS, logger: silentLogger, counters: newChannelCounters() };
  return new MessageChannel(stream, { ...options, receive: (_, channel) => receive(channel) });
}

function answer(stream: PspStream): void {
  const directory = discoveryMessage('discoveryDirectory', { directory: new Uint8Array(70_000), signatures: [] });
  messagesOn(stream, (channel) => void channel.send(directory).catch(() => {}));
}

function ask(stream: PspStream): void {
  const channel = messagesOn(stream, () => {});
  for (let i = 0; i < 2; i++) {
    channel.send(discoveryMessage('pullDiscovery', { version: 'xpx-discovery-1.0' })).catch(() => {});
  }
}

/** Every write of both sides of a whole session. */
async function record(authenticated: boolean): Promise<Readonly<Record<Side, readonly Uint8Array[]>>> {
  const clock = new SimulatedClock();
  const [near, far] = wirePair(clock);
  const listener = run('listener', responder(), far, clock);
  const dialler = run('dialler', initiator(authenticated ? { credentials: CLIENT } : {}), near, clock);
  await clock.advance(60_000);
  expect([listener.error, dialler.error]).toEqual([undefined, undefined]);
  expect(dialler.connection?.counters.bytesReceived).toBeGreaterThan(140_000);
  dialler.connection?.close();
  await clock.advance(100);
  expect([listener.error, dialler.error]).toEqual([null, null]);
  return { dialler: near.writes, listener: far.writes };
}

/** One change of a session that is a list of writes. */
type Mutation = (writes: Uint8Array[]) => void;

const position = fc.nat(0xffff);
const byteMutation = fc
  .record({ at: position, where: position, change: fc.nat(255), kind: fc.nat(4), length: fc.nat(40) })
  .map(({ at, where, change, kind, length }): Mutation => (writes) => {
    const index = at % writes.length;
    const bytes = writes[index]!;
    // The head of a cell decides most.
    const offset = kind === 0 ? where % 8 : where % Math.max(1, bytes.length);
    if (kind <= 1) writes[index] = bytes.map((byte, i) => (i === offset ? byte ^ (change || 1) : byte));
    else if (kind === 2)
      writes[index] = Uint8Array.from([...bytes.subarray(0, offset), ...bytes.subarray(offset + length)]);
    else if (kind === 3) writes[index] = bytes.subarray(0, offset);
    else
      writes[index] = Uint8Array.from([
        ...bytes.subarray(0, offset),
        ...new Uint8Array(length).fill(change),
        ...bytes.subarray(offset),
      ]);
  });
const orderMutation = fc
  .record({ from: position, to: position, kind: fc.nat(2) })
  .map(({ from, to, kind }): Mutation => (writes) => {
    const source = from % writes.length;
    const target = to % writes.length;
    const moved = writes[source]!;
    if (kind === 0) writes.splice(source, 1, writes[target]!);
    else if (kind === 1) writes.splice(target, 0, moved);
    else if (writes.length > 1) writes.splice(source, 1);
  });
const forgedCell = fc
  .record({
    at: position,
    id: fc.constantFrom(0, 1, 7, 0x8000_0001, 0x8000_0002, 0xffff_ffff),
    command: fc.oneof(fc.constantFrom(...Object.values(Command)), fc.nat(255)),
    payload: fc.uint8Array({ maxLength: 64 }),
  })
  .map(({ at, id, command, payload }): Mutation => (writes) => {
    writes.splice(at % (writes.length + 1), 0, encodeCell(id, command, payload));
  });
const mutations = fc.array(fc.oneof(byteMutation, orderMutation, forgedCell), { minLength: 1, maxLength: 4 });

/** Feeds writes to a side that is new, cut anyhow, and lets all its deadlines pass. */
async function feed(side: Side, authenticated: boolean, writes: readonly Uint8Array[], cut: number): Promise<End> {
  const clock = new SimulatedClock();
  const wire = new MemoryWire(clock);
  const machine = side === 'listener' ? responder() : initiator(authenticated ? { credentials: CLIENT } : {});
  const end = run(side, machine, wire, clock);
  await clock.advance(1);
  const bytes = Buffer.concat(writes);
  for (let at = 0; at < bytes.length && !wire.destroyed; at += cut) {
    wire.receive(bytes.subarray(at, at + cut));
    await clock.advance(1);
  }
  await clock.advance(700_000);
  return end;
}

function judge(end: End): void {
  const counters = end.connection?.counters;
  if (end.error instanceof LinkError) expect(CODES.has(end.error.code)).toBe(true);
  for (const [code, count] of Object.entries(counters?.refused ?? {})) {
    expect(CODES.has(code)).toBe(true);
    expect(count).toBeGreaterThan(0);
  }
  expect(end.error?.code).not.toBe('LINK_INTERNAL');
  expect(counters?.refused.LINK_INTERNAL).toBeUndefined();
  // Nobody spoke for longer than any deadline allows: nothing is left.
  expect(end.error).not.toBeUndefined();
  expect(end.connection?.open ?? false).toBe(false);
  expect(end.connection?.streamCount ?? 0).toBe(0);
}

describe.each([
  ['anonymous', false],
  ['authenticated', true],
] as const)('a recorded session, %s', (_, authenticated) => {
  let session: Readonly<Record<Side, readonly Uint8Array[]>>;

  beforeAll(async () => {
    session = await record(authenticated);
  });

  test.each(['listener', 'dialler'] as const)(
    'unchanged, it is understood by the %s however it is cut',
    async (side) => {
      const spoken = session[side === 'listener' ? 'dialler' : 'listener'];
      for (const cut of [1_000_003, 16_384, 509]) {
        const end = await feed(side, authenticated, spoken, cut);
        judge(end);
        // The dialler plays anew with the recorded answers to what it said.
        expect(end.connection?.counters.refused).toEqual({ LINK_TIMEOUT: 1 });
        expect(end.connection?.counters.streamsOpened).toBe(1);
        expect(end.connection?.counters.cellsReceived).toBeGreaterThanOrEqual(3);
      }
    },
  );

  test.each(['listener', 'dialler'] as const)(
    'mutated, it ends with a typed error at the %s, or goes on',
    async (side) => {
      const spoken = session[side === 'listener' ? 'dialler' : 'listener'];
      const seen = new Set<string>();
      await fc.assert(
        fc.asyncProperty(mutations, fc.integer({ min: 2_000, max: 70_000 }), async (changes, cut) => {
          const writes = [...spoken];
          for (const change of changes) change(writes);
          const end = await feed(side, authenticated, writes, cut);
          judge(end);
          if (end.error) seen.add(end.error.code);
        }),
        { numRuns: 150 },
      );
      // The mutations reach more than one corner.
      expect(seen.size).toBeGreaterThanOrEqual(3);
    },
  );
});

describe('random bytes', () => {
  test.each(['listener', 'dialler'] as const)('at the %s', async (side) => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 5 }), async (chunks) => {
        judge(await feed(side, false, chunks, 333));
      }),
      { numRuns: 100 },
    );
  });

  test('after the handshake', async () => {
    const { dialler } = await record(false);
    const cell = fc
      .record({
        id: fc.constantFrom(0, 5, 0x8000_0001, 0x8000_0002),
        command: fc.oneof(fc.constantFrom(...Object.values(Command)), fc.nat(255)),
        payload: fc.uint8Array({ maxLength: 300 }),
      })
      .map(({ id, command, payload }) => encodeCell(id, command, payload));
    await fc.assert(
      fc.asyncProperty(fc.array(cell, { maxLength: 40 }), async (cells) => {
        judge(await feed('listener', false, [...dialler.slice(0, 2), ...cells], 4096));
      }),
      { numRuns: 150 },
    );
  });
});
