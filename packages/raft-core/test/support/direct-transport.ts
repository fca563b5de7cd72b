import {
  RaftError,
  type Clock,
  type ResponseOf,
  type RpcHandler,
  type RpcRequest,
  type RpcResponse,
  type Server,
  type Transport,
} from '../../src/index.js';

/** The plainest transport that keeps the port's promises: it calls the peer's handler in a later turn. */
export class DirectTransport implements Transport {
  readonly localId: string;
  readonly localAddress: string;
  readonly #peers: Map<string, DirectTransport>;
  readonly #clock: Clock;
  readonly #underWay = new Set<(error: RaftError) => void>();
  #handler: RpcHandler | null = null;
  #closed = false;

  constructor(id: string, peers: Map<string, DirectTransport>, clock: Clock) {
    this.localId = id;
    this.localAddress = `address-of-${id}`;
    this.#peers = peers;
    this.#clock = clock;
    peers.set(id, this);
  }

  setHandler(handler: RpcHandler): void {
    this.#handler = handler;
  }

  send<R extends RpcRequest>(target: Server, request: R, timeoutMs: number): Promise<ResponseOf[R['kind']]> {
    if (this.#closed) return Promise.reject(new RaftError('RAFT_TRANSPORT_CLOSED', 'this transport is closed'));
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        timer.cancel();
        this.#underWay.delete(fail);
        settle();
      };
      const fail = (error: RaftError): void => end(() => reject(error));
      const timer = this.#clock.setTimer(timeoutMs, () => fail(new RaftError('RAFT_TRANSPORT_TIMEOUT', 'no answer')));
      this.#underWay.add(fail);
      this.#clock.defer(() => {
        const answer = this.#peers.get(target.id)?.answer(request) ?? Promise.reject(new Error('nobody'));
        answer.then(
          (response) => end(() => resolve(response as ResponseOf[R['kind']])),
          (cause: unknown) => fail(new RaftError('RAFT_TRANSPORT_FAILED', 'refused', {}, cause)),
        );
      });
    });
  }

  answer(request: RpcRequest): Promise<RpcResponse> {
    return this.#handler?.(request) ?? Promise.reject(new Error('no handler'));
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const fail of this.#underWay) fail(new RaftError('RAFT_TRANSPORT_CLOSED', 'this transport is closed'));
  }
}
