import { hash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { MadeNode } from '../../../src/index.js';

/** How long a node may take to hang up on garbage, milliseconds: its steps have deadlines of five seconds. */
const PATIENCE_MS = 20_000;
const GARBAGE_BYTES = 4096;

/** The same bytes in every run, and no two pieces alike. */
function garbage(name: string, bytes = GARBAGE_BYTES): Buffer {
  const pieces = [];
  for (let i = 0; i * 64 < bytes; i++) pieces.push(hash('sha512', `${name} ${i}`, 'buffer'));
  return Buffer.concat(pieces).subarray(0, bytes);
}

/** Throws bytes of many kinds at the PSP port and at the admin socket of a node. @throws Error when it does not hang up */
export async function throwGarbage({ host, port, socket }: MadeNode): Promise<void> {
  const adminLines = [
    garbage('line'),
    Buffer.from('{"id":1,"method":"status"}}}\n'),
    Buffer.from('{"id":1,"method":"__proto__","params":{"toString":1}}\n[[[[\n'),
    Buffer.from('[]\n'),
    Buffer.alloc(100_000, 0x7b),
  ];
  const cells = [
    // Random bytes, a cell of a length that nobody sends, and a good version cell followed by what must not follow.
    garbage('cells'),
    Buffer.from('0000ffffffffffff', 'hex'),
    Buffer.concat([Buffer.from('0000000000', 'hex'), garbage('after a cell')]),
  ];
  await Promise.all([
    ...[garbage('tcp'), Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.from('160301ffff', 'hex')].map((bytes) =>
      throwAt(connect({ host, port }), bytes, `TCP ${bytes.toString('hex', 0, 8)}`),
    ),
    ...cells.map((bytes) =>
      throwAt(connectTls({ host, port, rejectUnauthorized: false }), bytes, `TLS ${bytes.toString('hex', 0, 8)}`),
    ),
    ...adminLines.map((bytes) => throwAt(connect({ path: socket }), bytes, `admin ${bytes.toString('hex', 0, 8)}`)),
  ]);
}

/** Sends bytes and waits until the other end hangs up. */
function throwAt(socket: Socket, bytes: Uint8Array, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`it does not hang up on ${what}`));
      socket.destroy();
    }, PATIENCE_MS);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve();
    });
    // A reset is a way of hanging up.
    socket.on('error', () => socket.destroy());
    socket.resume();
    socket.write(bytes);
  });
}
