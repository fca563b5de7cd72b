import { createServer } from 'node:net';
import { codeOf } from '../directory/durable-file.js';
import { NodeError } from '../errors.js';

/** Ports that no system hands out by itself: one that is free now is not taken by anybody's outgoing connection later. */
const FIRST_PORT = 15_000;
const PORTS = 15_000;
/** Processes that choose at the same time begin this far apart. */
const PORTS_PER_PROCESS = 101;

let next = (process.pid * PORTS_PER_PROCESS) % PORTS;

/**
 * So many ports that nobody listens at now, all different, and others at each call.
 *
 * @throws NodeError NODE_INVALID_OPTION when there are not as many
 */
export async function freePorts(count: number, host: string): Promise<readonly number[]> {
  const ports: number[] = [];
  for (let tried = 0; ports.length < count; tried++) {
    if (tried === PORTS)
      throw new NodeError('NODE_INVALID_OPTION', `there are no ${count} free ports at ${host}`, { host });
    const port = FIRST_PORT + next;
    next = (next + 1) % PORTS;
    if (await isFree(port, host)) ports.push(port);
  }
  return ports;
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => {
      if (codeOf(error) === 'EADDRINUSE' || codeOf(error) === 'EACCES') resolve(false);
      else reject(error);
    });
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
