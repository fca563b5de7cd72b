// Starts three servers, writes and reads, kills the leader, and reads what was written.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Server } from '@discovery-raft/raft-core';

interface Running extends Server {
  readonly process: ChildProcess;
}

const program = fileURLToPath(new URL('server.js', import.meta.url));
const say = (text: string): boolean => process.stdout.write(`${text}\n`);

async function start(id: string): Promise<Running> {
  const child = fork(program, [id]);
  const [{ address }] = (await once(child, 'message')) as [{ address: string }];
  return { id, address, suffrage: 'voter', process: child };
}

/** Asks any server that is left until one answers; follows the leader. 5xx means: try again. */
async function call(servers: readonly Running[], key: string, init: RequestInit = {}): Promise<Response> {
  const deadline = performance.now() + 20_000;
  for (let i = 0; performance.now() < deadline; i++) {
    const { address } = servers[i % servers.length]!;
    try {
      const response = await fetch(`http://${address}/${encodeURIComponent(key)}`, init);
      if (response.status < 500) return response;
    } catch {
      // That server is gone; the next one knows more.
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('no server answered within 20 s');
}

let servers = await Promise.all(['one', 'two', 'three'].map(start));
const configuration = servers.map(({ id, address, suffrage }) => ({ id, address, suffrage }));
for (const { process: child } of servers) child.send(configuration);
say(`three servers: ${servers.map(({ id, address }) => `${id} at ${address}`).join(', ')}`);

await call(servers, 'planet', { method: 'PUT', body: 'earth' });
const read = await call(servers, 'planet');
say(`planet = ${await read.text()}, read at the leader, ${new URL(read.url).host}`);

const leader = servers.find(({ address }) => address === new URL(read.url).host)!;
leader.process.kill('SIGKILL');
servers = servers.filter((server) => server !== leader);
say(`${leader.id} is killed`);

const again = await call(servers, 'planet');
const value = await again.text();
say(`planet = ${value}, read at the next leader, ${new URL(again.url).host}`);
await call(servers, 'planet', { method: 'DELETE' });
const { status } = await call(servers, 'planet');
say(`after a delete: ${status}`);
for (const { process: child } of servers) child.kill();
process.exitCode = value === 'earth' && status === 404 ? 0 : 1;
