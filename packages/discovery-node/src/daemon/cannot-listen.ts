import { codeOf } from '../directory/durable-file.js';
import { NodeError } from '../errors.js';

/** What to do, by the code of the system. */
const ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there: stop it, or choose another port',
  EADDRNOTAVAIL: 'this machine does not have that address',
  EACCES: 'this user may not: choose a port from 1024, or grant it',
  ENOTFOUND: 'that name has no address',
};

/**
 * What a start says when a port cannot be listened at; any other error as it is.
 *
 * @param section of the configuration that has host and port
 */
export function cannotListen(
  section: 'listen' | 'http',
  { host, port }: { readonly host: string; readonly port: number },
  error: unknown,
): Error {
  const code = listenCode(error);
  if (code === undefined) return error instanceof Error ? error : new Error(String(error));
  const advice = ADVICE[code] ?? 'choose another address';
  const message = `${section}.host and ${section}.port, ${host}:${port}, cannot be listened at: ${advice}`;
  return new NodeError('NODE_LISTEN_FAILED', message, { section, host, port }, error);
}

/** The code of the system, of an error of `listen` or one that has such a one for its cause. */
function listenCode(error: unknown): string | undefined {
  const code = codeOf(error);
  if (code === 'LINK_LISTEN_FAILED') return codeOf((error as { readonly cause?: unknown }).cause) ?? '';
  const { syscall } = Object(error) as { readonly syscall?: unknown };
  return syscall === 'listen' || syscall === 'bind' || syscall === 'getaddrinfo' ? code : undefined;
}
