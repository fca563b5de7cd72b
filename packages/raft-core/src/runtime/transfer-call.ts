import { RaftError } from '../core/errors.js';
import type { Input } from '../core/inputs.js';
import type { ServerId } from '../core/types.js';
import type { OpenCalls } from './open-calls.js';
import type { CallOptions, Transferred } from './raft-options.js';

/** What a transfer needs of its node. */
interface TransferPorts {
  readonly transfers: OpenCalls<Transferred>;
  readonly feed: (input: Input) => void;
}

/** Asks the core to hand leadership over, and to give that up when the caller's signal says so. */
export function transferLeadership(
  { transfers, feed }: TransferPorts,
  target: ServerId | null,
  { timeoutMs, signal }: CallOptions,
): Promise<Transferred> {
  if (signal?.aborted === true) {
    return Promise.reject(new RaftError('RAFT_ABORTED', 'the caller aborted the transfer', { target, told: false }));
  }
  if (timeoutMs !== undefined && !(timeoutMs > 0)) {
    const message = `timeoutMs must be above 0, not ${timeoutMs}`;
    return Promise.reject(new RaftError('RAFT_INVALID_OPTION', message, { option: 'timeoutMs', value: timeoutMs }));
  }
  let id = 0;
  const abort = (): void => feed({ type: 'abortTransfer', id });
  signal?.addEventListener('abort', abort, { once: true });
  return transfers
    .open((given) => {
      id = given;
      feed({ type: 'transfer', id, target, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
    })
    .finally(() => signal?.removeEventListener('abort', abort));
}
