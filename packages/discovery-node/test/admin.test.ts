import { once } from 'node:events';
import { statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setImmediate as turnOver } from 'node:timers/promises';
import { RaftError, silentLogger } from '@discovery-raft/raft-core';
import { AdminClient } from '../src/admin/admin-client.js';
import { AdminError } from '../src/admin/admin-error.js';
import { AdminServer, type AdminHandlers } from '../src/admin/admin-server.js';
import { MAX_REQUEST_BYTES } from '../src/admin/protocol.js';
import { newFolder, removeFolders } from './fixtures/folder.js';

const open: { close(): Promise<void> | void }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});
afterAll(removeFolders);

function notCalled(): never {
  throw new Error('not called in this test');
}

const HANDLERS: AdminHandlers = {
  status: notCalled,
  list: ({ limit, after }) => ({ items: [], next: after ?? null, index: limit }),
  round: () => Promise.reject(new AdminError('ADMIN_TIMEOUT', 'too slow', { retryable: true })),
  transfer: () =>
    Promise.reject(new RaftError('RAFT_NOT_LEADER', 'another node leads', { leaderId: 'ben', deep: { no: 1 } })),
  'members.list': notCalled,
  'root.get': () => {
    throw new Error('not here');
  },
  'root.sign': () => ({ ok: false, code: 'tooLate', detail: '' }),
  'root.publish': () => ({ ok: false, code: 'quorumMissing', detail: '' }),
  'keys.reload': () => ({ fingerprint: '', signsUntil: 0 }),
  'members.add': ({ identity, voter, timeoutMs }) => ({ index: identity.length + (voter ? 1000 : 0) + timeoutMs }),
  'members.remove': notCalled,
  'members.promote': notCalled,
  'members.demote': notCalled,
  snapshot: () => Promise.reject(new TypeError('a secret of the machine')),
  metrics: () => ({ text: 'x'.repeat(3_000_000) }),
  'clock.get': () => ({ unixSeconds: 5, manual: false }),
  'clock.set': notCalled,
  stop: () => ({ stopping: true }),
};

async function serve(
  options: { maxConnections?: number; maxRequests?: number; lineTimeoutMs?: number } = {},
  handlers: AdminHandlers = HANDLERS,
) {
  const socket = join(newFolder(), 'admin.sock');
  const server = await AdminServer.listen({ socket, handlers, logger: silentLogger, ...options });
  open.push({ close: () => server.close() });
  return socket;
}

async function client(socket: string): Promise<AdminClient> {
  const admin = await AdminClient.connect({ socket, timeoutMs: 10_000 });
  open.push(admin);
  return admin;
}

/** A connection whose bytes the test writes itself. */
async function raw(socket: string): Promise<{ socket: Socket; said: () => Promise<string>; text: () => string }> {
  const connection = connect(socket);
  await once(connection, 'connect');
  open.push({ close: () => void connection.destroy() });
  let text = '';
  const ended = new Promise<string>((resolve) => {
    connection.on('data', (chunk: Buffer) => (text += chunk.toString()));
    connection.on('error', () => resolve(text));
    connection.on('close', () => resolve(text));
  });
  return { socket: connection, said: () => ended, text: () => text };
}

describe('between client and server', () => {
  test('a call is answered; parameters get their defaults', async () => {
    const admin = await client(await serve());
    expect(await admin.call('clock.get', {})).toEqual({ unixSeconds: 5, manual: false });
    expect(await admin.call('list', { after: 'b' })).toEqual({ items: [], next: 'b', index: 500 });
    expect(await admin.call('members.add', { identity: 'ada', voter: true, timeoutMs: 7 })).toEqual({ index: 1010 });
  });

  test('many calls at once, and an answer of megabytes', async () => {
    const admin = await client(await serve());
    const answers = await Promise.all([
      admin.call('metrics', {}),
      ...Array.from({ length: 20 }, (_, i) => admin.call('list', { limit: i + 1 })),
    ]);
    expect(answers.slice(1)).toEqual(Array.from({ length: 20 }, (_, i) => ({ items: [], next: null, index: i + 1 })));
    expect(answers[0]).toMatchObject({ text: expect.stringMatching(/^x{100}/) });
  });

  test('a call that may take longer than the client waits for others is waited for, and a little more', async () => {
    const never = new Promise<never>(() => undefined);
    const admin = await client(await serve({}, { ...HANDLERS, round: () => never }));
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    try {
      const settled: string[] = [];
      const tell = (error: { code: string }): void => void settled.push(error.code);
      const long = admin.call('round', { timeoutMs: 60_000 }).catch(tell);
      const short = admin.call('round', { timeoutMs: 100 }).catch(tell);
      await jest.advanceTimersByTimeAsync(9999);
      expect(settled).toEqual([]);
      await jest.advanceTimersByTimeAsync(1);
      await short;
      expect(settled).toEqual(['NODE_TIMEOUT']);
      await jest.advanceTimersByTimeAsync(54_999);
      expect(settled).toHaveLength(1);
      await jest.advanceTimersByTimeAsync(1);
      await long;
      expect(settled).toEqual(['NODE_TIMEOUT', 'NODE_TIMEOUT']);
    } finally {
      jest.useRealTimers();
    }
  });

  test('an error keeps its code, its retryable and its plain details', async () => {
    const admin = await client(await serve());
    await expect(admin.call('transfer', {})).rejects.toMatchObject({
      code: 'NODE_ADMIN_REFUSED',
      details: { code: 'RAFT_NOT_LEADER', leaderId: 'ben', retryable: true },
    });
    await expect(admin.call('round', {})).rejects.toMatchObject({ details: { code: 'ADMIN_TIMEOUT' } });
  });

  test('a bug tells the client nothing of the machine', async () => {
    const admin = await client(await serve());
    const error = await admin.call('snapshot', {}).catch((caught: Error) => caught);
    expect(error).toMatchObject({ details: { code: 'ADMIN_FAILED' } });
    expect(String(error)).not.toContain('secret');
  });

  test.each([
    ['list', { limit: 0 }],
    ['list', { limit: 1e9 }],
    ['list', { colour: 'red' }],
    ['members.add', {}],
    ['clock.set', { unixSeconds: 'now' }],
  ] as const)('wrong parameters are refused: %s %j', async (method, params) => {
    const admin = await client(await serve());
    await expect(admin.call(method, params as never)).rejects.toMatchObject({
      details: { code: 'ADMIN_INVALID_PARAMS' },
    });
    expect(await admin.call('clock.get', {})).toMatchObject({ unixSeconds: 5 });
  });

  test('an unknown method is refused', async () => {
    const admin = await client(await serve());
    await expect(admin.call('format' as 'stop', {})).rejects.toMatchObject({
      details: { code: 'ADMIN_UNKNOWN_METHOD' },
    });
    await expect(admin.call('toString' as 'stop', {})).rejects.toMatchObject({
      details: { code: 'ADMIN_UNKNOWN_METHOD' },
    });
  });

  test('when the server ends, calls end with it', async () => {
    const socket = join(newFolder(), 'admin.sock');
    const handlers: AdminHandlers = { ...HANDLERS, round: () => new Promise(() => {}) };
    const server = await AdminServer.listen({ socket, handlers, logger: silentLogger });
    const admin = await client(socket);
    await admin.call('clock.get', {});
    const call = admin.call('round', {});
    await server.close();
    await expect(call).rejects.toMatchObject({ code: 'NODE_ADMIN_UNREACHABLE' });
    await expect(admin.call('clock.get', {})).rejects.toMatchObject({ code: 'NODE_ADMIN_UNREACHABLE' });
  });
});

describe('the socket', () => {
  test('is for its owner alone, and goes with the server', async () => {
    const socket = join(newFolder(), 'admin.sock');
    const server = await AdminServer.listen({ socket, handlers: HANDLERS, logger: silentLogger });
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    await server.close();
    expect(() => statSync(socket)).toThrow('ENOENT');
  });

  test('one that a killed process left is replaced; one where another answers is not', async () => {
    const socket = await serve();
    await expect(AdminServer.listen({ socket, handlers: HANDLERS, logger: silentLogger })).rejects.toMatchObject({
      code: 'NODE_DATA_LOCKED',
    });
    const left = join(newFolder(), 'left.sock');
    const ended = createServer();
    await new Promise<void>((resolve) => ended.listen(left, resolve));
    // The handle is closed without the name being removed, as when a process is killed.
    writeFileSync(`${left}.keep`, '');
    await new Promise((resolve) => ended.close(resolve));
    const server = await AdminServer.listen({ socket: left, handlers: HANDLERS, logger: silentLogger });
    open.push({ close: () => server.close() });
    expect(await (await client(left)).call('stop', {})).toEqual({ stopping: true });
  });

  test('where no node listens, the error says so with the path', async () => {
    const socket = join(newFolder(), 'admin.sock');
    await expect(AdminClient.connect({ socket })).rejects.toMatchObject({
      code: 'NODE_ADMIN_UNREACHABLE',
      message: expect.stringContaining(socket),
    });
  });
});

describe('bytes that are no request end their connection and nothing else', () => {
  test.each([
    ['no JSON', 'hello\n', 'ADMIN_MALFORMED'],
    ['no object', '[1]\n', 'ADMIN_MALFORMED'],
    ['no method', '{"id":1}\n', 'ADMIN_MALFORMED'],
    ['too much', '{"id":1,"method":"list","parameters":{}}\n', 'ADMIN_MALFORMED'],
    ['an id that is an object', '{"id":{},"method":"list"}\n', 'ADMIN_MALFORMED'],
    ['a line without end', 'x'.repeat(MAX_REQUEST_BYTES + 1), 'ADMIN_TOO_LARGE'],
  ])('%s', async (_name, bytes, code) => {
    const socket = await serve();
    const { socket: connection, said } = await raw(socket);
    connection.write(bytes);
    expect(JSON.parse(await said())).toMatchObject({ id: null, error: { code } });
    expect(await (await client(socket)).call('clock.get', {})).toMatchObject({ unixSeconds: 5 });
  });

  test('a line that does not end in time', async () => {
    const socket = await serve({ lineTimeoutMs: 20 });
    const { socket: connection, said } = await raw(socket);
    connection.write('{"id":1,');
    expect(await said()).toBe('');
  });

  test('a request in many pieces is one request; several in one piece are several', async () => {
    const socket = await serve();
    const { socket: connection, said, text } = await raw(socket);
    for (const piece of [
      '{"id":1,"met',
      'hod":"clock.get"}',
      '\n{"id":"b","method":"stop"}\n{"id":3,"method":"x"}\n',
    ]) {
      connection.write(piece);
      await new Promise(setImmediate);
    }
    while (text().split('\n').length < 4) await once(connection, 'data');
    connection.write('end\n');
    const answers = (await said())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { id: unknown });
    expect(answers.map(({ id }) => id)).toEqual(expect.arrayContaining([1, 'b', 3, null]));
  });

  test('who reads no answers is not read either, and goes on when it reads', async () => {
    const metrics = jest.fn(() => ({ text: 'x'.repeat(500_000) }));
    const socket = connect(await serve({}, { ...HANDLERS, metrics }));
    open.push({ close: () => void socket.destroy() });
    const lines = Array.from({ length: 200 }, (_, id) => `${JSON.stringify({ id, method: 'metrics' })}\n`);
    for (const line of lines) {
      socket.write(line);
      // Turns enough to read it and to answer, for a server that would.
      for (let turn = 0; turn < 10; turn++) await turnOver();
    }
    // The answers that the kernel took, the one that it did not, and those of lines that came along with them.
    const asked = metrics.mock.calls.length;
    expect(asked).toBeLessThan(100);
    let answers = 0;
    const allRead = new Promise<void>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        for (const byte of chunk) if (byte === 0x0a) answers++;
        if (answers === lines.length) resolve();
      });
    });
    await allRead;
    expect(metrics.mock.calls.length).toBeGreaterThan(asked);
  });

  test('more requests at once than a connection may have are refused, and can be tried again', async () => {
    const socket = join(newFolder(), 'admin.sock');
    let release: () => void = () => {};
    const waiting = new Promise<void>((resolve) => {
      release = resolve;
    });
    const handlers: AdminHandlers = { ...HANDLERS, stop: async () => (await waiting, { stopping: true }) };
    const server = await AdminServer.listen({ socket, handlers, logger: silentLogger, maxRequests: 2 });
    open.push({ close: () => server.close() });
    const admin = await client(socket);
    const calls = [admin.call('stop', {}), admin.call('stop', {})];
    await expect(admin.call('stop', {})).rejects.toMatchObject({
      details: { code: 'ADMIN_OVERLOADED', retryable: true },
    });
    release();
    expect(await Promise.all(calls)).toHaveLength(2);
  });
});
