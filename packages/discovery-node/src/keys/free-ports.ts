import { createServer, type Server } from 'node:net';

/** So many ports that nobody listens at now, all different. Another program may take one before it is used. */
export async function freePorts(count: number, host: string): Promise<readonly number[]> {
  // All are held at once, so that the system gives none of them twice.
  const servers = await Promise.all(Array.from({ length: count }, () => listen(host)));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function listen(host: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, host, () => resolve(server));
  });
}
