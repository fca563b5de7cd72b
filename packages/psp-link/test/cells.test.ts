import { hash } from 'node:crypto';
import { segment } from '@discovery-raft/psp-envelope';
import fc from 'fast-check';
import { encodeCell, type Cell } from '../src/cells/cell.js';
import { CellReader } from '../src/cells/cell-reader.js';
import { Command, commandNameOf, isFixed } from '../src/cells/command.js';
import {
  agreeOnVersion,
  decodeAuthChallenge,
  decodeAuthenticate,
  decodeCerts,
  encodeAuthChallenge,
  encodeAuthenticate,
  encodeCerts,
  encodeVersions,
} from '../src/cells/handshake-cells.js';
import {
  checkStreamCreated,
  decodeStreamCreate,
  decodeStreamDestroy,
  encodeStreamCreate,
  encodeStreamDestroy,
} from '../src/cells/stream-cells.js';
import { LinkError } from '../src/index.js';
import { fromHex, toHex, vectors } from './fixtures/vectors.js';

const DISCOVERY_STREAM = 0x8000_0001;

function readAll(chunks: readonly Uint8Array[], reader = new CellReader()): Cell[] {
  const cells: Cell[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    for (let cell = reader.next(); cell !== null; cell = reader.next()) {
      cells.push({ ...cell, payload: cell.payload.slice() });
    }
  }
  return cells;
}

function codeOf(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    if (error instanceof LinkError) return error.code;
    throw error;
  }
}

describe('cells of the deployed protocol', () => {
  test.each([
    ['versions', 0, Command.versions, encodeVersions([1])],
    ['authBypass', 0, Command.authBypass, new Uint8Array(0)],
    ['streamCreateDiscovery', DISCOVERY_STREAM, Command.streamCreate, encodeStreamCreate({ namespace: 2 })],
  ] as const)('%s, in both directions', (name, circuitId, command, payload) => {
    expect(toHex(encodeCell(circuitId, command, payload))).toBe(vectors.cells[name]);
    expect(readAll([fromHex(vectors.cells[name])])).toEqual([{ circuitId, command, payload }]);
  });

  test('a PullDiscovery in its stream cell, in both directions', () => {
    const pieces = segment(fromHex(vectors.pullDiscovery.applicationMessage));
    const cells = pieces.map((piece) => encodeCell(DISCOVERY_STREAM, Command.streamRelay, piece));
    expect(cells.map(toHex)).toEqual(vectors.pullDiscovery.cells);
    expect(readAll(vectors.pullDiscovery.cells.map(fromHex)).map(({ payload }) => toHex(payload))).toEqual(
      pieces.map(toHex),
    );
  });

  test('a message of several cells', () => {
    const { messageLength, cellLengths, cellSha256 } = vectors.segmented;
    const message = Uint8Array.from({ length: messageLength }, (_, i) => i % 251);
    const cells = segment(message).map((piece) => encodeCell(0, Command.streamRelay, piece));
    expect(cells.map((cell) => cell.length)).toEqual(cellLengths);
    expect(cells.map((cell) => hash('sha256', cell))).toEqual(cellSha256);
  });
});

describe('CellReader', () => {
  const anyCell = fc
    .record({
      circuitId: fc.nat(0xffff_ffff),
      command: fc.nat(255),
      bytes: fc.uint8Array({ maxLength: 600 }),
    })
    .map(({ circuitId, command, bytes }) => ({
      circuitId,
      command,
      payload: isFixed(command) ? Uint8Array.from({ length: 509 }, (_, i) => bytes[i] ?? 0) : bytes,
    }));

  test('reads every cell of every command, however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(anyCell, { maxLength: 12 }), fc.array(fc.integer({ min: 1, max: 700 })), (cells, cuts) => {
        const bytes = Buffer.concat(cells.map((cell) => encodeCell(cell.circuitId, cell.command, cell.payload)));
        const chunks: Uint8Array[] = [];
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          chunks.push(new Uint8Array(bytes.subarray(at, at + cut)));
          at += cut;
        }
        const read = readAll(chunks);
        expect(read).toEqual(cells);
      }),
      { numRuns: 200 },
    );
  });

  test('reads the longest cell byte by byte', () => {
    const cell = encodeCell(7, Command.streamRelay, new Uint8Array(65_535).fill(9));
    const reader = new CellReader();
    const read = readAll(
      Array.from(cell, (byte) => Uint8Array.of(byte)),
      reader,
    );
    expect(read).toHaveLength(1);
    expect(read[0]?.payload).toEqual(new Uint8Array(65_535).fill(9));
    expect(reader.insideCell).toBe(false);
  });

  test('refuses a length over the limit as soon as its bytes are there, however they come', () => {
    const head = Uint8Array.of(0, 0, 0, 0, Command.certs, 0x40, 0x01);
    expect(codeOf(() => readAll([head], new CellReader(0x4000)))).toBe('LINK_TOO_LARGE');
    const oneByOne = Array.from(head, (byte) => Uint8Array.of(byte));
    expect(codeOf(() => readAll(oneByOne, new CellReader(0x4000)))).toBe('LINK_TOO_LARGE');
    expect(readAll([head.with(6, 0)], new CellReader(0x4000))).toEqual([]);
  });

  test('knows whether it is inside a cell', () => {
    const reader = new CellReader();
    const cell = encodeCell(1, Command.padding);
    readAll([cell.subarray(0, 513)], reader);
    expect(reader.insideCell).toBe(true);
    expect(readAll([cell.subarray(513)], reader)).toHaveLength(1);
    expect(reader.insideCell).toBe(false);
  });

  test('keeps what was not read yet, when the bytes are wanted back', () => {
    const first = encodeCell(7, Command.streamRelay, Uint8Array.of(1, 2, 3));
    const chunk = new Uint8Array([...first, ...first, ...first.subarray(0, 9)]);
    const reader = new CellReader();
    reader.push(chunk);
    expect(reader.next()?.payload).toEqual(Uint8Array.of(1, 2, 3));
    reader.keep();
    chunk.fill(0);
    expect(reader.next()?.payload).toEqual(Uint8Array.of(1, 2, 3));
    expect(reader.next()).toBeNull();
    reader.push(first.subarray(9));
    expect(reader.next()?.payload).toEqual(Uint8Array.of(1, 2, 3));
  });

  test('a payload that no cell can hold is an error of the sender', () => {
    expect(codeOf(() => encodeCell(1, Command.streamRelay, new Uint8Array(65_536)))).toBe('LINK_TOO_LARGE');
    expect(codeOf(() => encodeCell(1, Command.destroy, new Uint8Array(510)))).toBe('LINK_TOO_LARGE');
    expect(encodeCell(1, Command.destroy, Uint8Array.of(2))).toHaveLength(514);
  });
});

describe('payloads', () => {
  test('names of commands', () => {
    expect([commandNameOf(136), commandNameOf(1), commandNameOf(6), commandNameOf(255)]).toEqual([
      'streamCreated',
      'padding',
      undefined,
      undefined,
    ]);
  });

  test('the highest common version is used', () => {
    expect(agreeOnVersion(encodeVersions([1]))).toBe(1);
    expect(agreeOnVersion(encodeVersions([9, 3, 1, 2]), [1, 2, 3])).toBe(3);
    expect(codeOf(() => agreeOnVersion(encodeVersions([2, 0])))).toBe('LINK_NO_COMMON_VERSION');
    expect(codeOf(() => agreeOnVersion(new Uint8Array(0)))).toBe('LINK_NO_COMMON_VERSION');
    expect(codeOf(() => agreeOnVersion(Uint8Array.of(0, 1, 0)))).toBe('LINK_MALFORMED');
  });

  test('certs: in both directions, at most one a type, and the end is open', () => {
    const certificates = { link: Uint8Array.of(1, 2), identity: Uint8Array.of(3), authenticate: new Uint8Array(300) };
    const payload = encodeCerts(certificates);
    expect(toHex(payload.subarray(0, 10))).toBe('03010002010202000103');
    expect(decodeCerts(payload)).toEqual(certificates);
    expect(decodeCerts(Uint8Array.of(...encodeCerts({ identity: Uint8Array.of(5) }), 0xff, 0xff))).toEqual({
      identity: Uint8Array.of(5),
    });
    expect(decodeCerts(Uint8Array.of(2, 9, 0, 1, 7, 1, 0, 1, 8))).toEqual({ link: Uint8Array.of(8) });
    expect(codeOf(() => decodeCerts(Uint8Array.of(2, 1, 0, 1, 7, 1, 0, 1, 8)))).toBe('LINK_MALFORMED');
    expect(codeOf(() => decodeCerts(Uint8Array.of(1, 1, 0, 2, 7)))).toBe('LINK_MALFORMED');
    expect(codeOf(() => decodeCerts(new Uint8Array(0)))).toBe('LINK_MALFORMED');
  });

  test('authChallenge and authenticate, in both directions', () => {
    const challenge = new Uint8Array(32).fill(5);
    const payload = encodeAuthChallenge({ challenge, methods: [1, 2] });
    expect(toHex(payload)).toBe(`${'05'.repeat(32)}000200010002`);
    expect(decodeAuthChallenge(payload)).toEqual({ challenge, methods: [1, 2] });
    expect(codeOf(() => decodeAuthChallenge(payload.subarray(0, 37)))).toBe('LINK_MALFORMED');
    expect(codeOf(() => decodeAuthChallenge(Uint8Array.of(...payload, 0)))).toBe('LINK_MALFORMED');
    expect(toHex(encodeAuthenticate(Uint8Array.of(7, 8)))).toBe('000100020708');
    expect(decodeAuthenticate(fromHex('000100020708'))).toEqual(Uint8Array.of(7, 8));
    expect(codeOf(() => decodeAuthenticate(fromHex('000200020708')))).toBe('LINK_NO_COMMON_VERSION');
    expect(codeOf(() => decodeAuthenticate(fromHex('000100030708')))).toBe('LINK_MALFORMED');
    expect(codeOf(() => decodeAuthenticate(fromHex('00010002070809')))).toBe('LINK_MALFORMED');
  });

  test('streams: in both directions', () => {
    const requests = [
      { namespace: 2 },
      { namespace: 4_000_000_000, subcommand: 7 },
      { namespace: 1, subcommand: 0, cookie: Uint8Array.of(1, 2, 3) },
    ];
    for (const request of requests) expect(decodeStreamCreate(encodeStreamCreate(request))).toEqual(request);
    expect(decodeStreamCreate(encodeStreamCreate({ namespace: 2, cookie: Uint8Array.of(1) })).subcommand).toBe(0);
    for (const length of [0, 3, 5, 7]) {
      expect(codeOf(() => decodeStreamCreate(new Uint8Array(length)))).toBe('LINK_MALFORMED');
    }
    expect(decodeStreamDestroy(encodeStreamDestroy(3))).toBe(3);
    expect(decodeStreamDestroy(new Uint8Array(0))).toBe(0);
    expect(codeOf(() => decodeStreamDestroy(Uint8Array.of(1, 1)))).toBe('LINK_MALFORMED');
    expect(codeOf(() => checkStreamCreated(Uint8Array.of(1)))).toBe('LINK_MALFORMED');
  });

  test('any bytes give a value or a LinkError', () => {
    const decoders = [agreeOnVersion, decodeCerts, decodeAuthChallenge, decodeAuthenticate, decodeStreamCreate];
    fc.assert(
      fc.property(fc.constantFrom(...decoders), fc.uint8Array({ maxLength: 80 }), (decode, bytes) => {
        codeOf(() => decode(bytes));
      }),
      { numRuns: 2000 },
    );
  });
});
