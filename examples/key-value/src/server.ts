// One server of the store. Its parent tells it by IPC who belongs to the cluster, once every port is known.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  MemoryLogStore,
  MemorySnapshotStore,
  MemoryStableStore,
  Raft,
  RaftError,
  type Server,
} from '@discovery-raft/raft-core';
import { HttpTransport, RAFT_PATH } from './http-transport.js';
import { encodeCommand, KeyValueMachine } from './key-value-machine.js';

const id = process.argv[2] ?? '';
const machine = new KeyValueMachine();
let raft: Raft<string | null> | null = null;
let transport: HttpTransport | null = null;

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  if (raft === null || transport === null) {
    response.writeHead(503).end();
  } else if (pathname === RAFT_PATH) {
    response.end(await transport.receive(await bodyOf(request)));
  } else {
    const key = decodeURIComponent(pathname.slice(1));
    if (request.method === 'GET') {
      // Linearizable: what was written before this read began is in the answer.
      await raft.readIndex();
      const value = machine.get(key);
      response.writeHead(value === null ? 404 : 200).end(value ?? '');
    } else {
      const value = request.method === 'DELETE' ? null : (await bodyOf(request)).toString();
      await raft.apply(encodeCommand({ key, value }), { timeoutMs: 5000 });
      response.writeHead(204).end();
    }
  }
}

/** The leader's address is part of the error: the client is sent there. */
function explain(error: unknown, request: IncomingMessage, response: ServerResponse): void {
  const leader = error instanceof RaftError ? error.details.leaderAddress : undefined;
  if (error instanceof RaftError && error.code === 'RAFT_NOT_LEADER' && leader !== undefined) {
    response.writeHead(307, { location: `http://${leader}${request.url ?? '/'}` }).end();
  } else {
    const outcome = error instanceof RaftError ? (error.details.outcome ?? '') : '';
    response.writeHead(503, { 'x-outcome': outcome }).end(error instanceof Error ? error.message : '');
  }
}

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => explain(error, request, response));
});

server.listen(0, '127.0.0.1', () => {
  process.send?.({ id, address: `127.0.0.1:${(server.address() as AddressInfo).port}` });
});

process.on('message', (servers: Server[]) => {
  const address = servers.find((one) => one.id === id)?.address ?? '';
  transport = new HttpTransport(id, address);
  Raft.create<string | null>({
    id,
    address,
    transport,
    logStore: new MemoryLogStore(),
    stableStore: new MemoryStableStore(),
    snapshotStore: new MemorySnapshotStore(),
    stateMachine: machine,
  }).then(async (created) => {
    await created.bootstrap({ servers });
    raft = created;
  }, fail);
});

function fail(error: unknown): void {
  process.stderr.write(`${id}: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
