import { PUBLISH_CODES, type DiscoveryConsensus, type PublishOutcome } from '@discovery-raft/discovery-consensus-fsm';
import {
  PublishToDiscoveryResultSchema,
  type PublishToDiscovery,
  type PullDiscovery,
  type PullTrustRoots,
} from '@discovery-raft/protocol';
import {
  answerRootPull,
  decodeDiscoveryBody,
  DEFAULT_LIMITS,
  type ApplicationMessage,
  type EnvelopeLimits,
  type TrustRootChain,
} from '@discovery-raft/psp-envelope';
import type { MessageChannel } from '@discovery-raft/psp-link';
import type { Logger } from '@discovery-raft/raft-core';

/** Pulls of one client that wait for their turn; one more ends its connection. An answer may have megabytes. */
const MAX_WAITING_PULLS = 4;

/** Where a client's connection comes from, for the rate limits. */
export interface ClientSource {
  /** The connection's far end; any text. */
  readonly source: string;
  /** Its address prefix. */
  readonly prefix?: string;
}

/** What a client is served from. */
export interface ClientServices {
  readonly consensus: DiscoveryConsensus;
  readonly roots: { readonly chain: TrustRootChain };
}

/** What an anonymous client may do: publish and pull. Whatever else it says ends its connection, unread. */
export class ClientSession {
  readonly #from: ClientSource;
  readonly #client: MessageChannel;
  readonly #consensus: DiscoveryConsensus;
  readonly #roots: { readonly chain: TrustRootChain };
  readonly #limits: EnvelopeLimits;
  readonly #answerLimits: EnvelopeLimits;
  readonly #logger: Logger;
  readonly #pulls: (PullDiscovery | PullTrustRoots)[] = [];
  #pulling = false;

  /** @param limits bounds on what the client may send; what it is sent fits a deployed client besides */
  constructor(
    from: ClientSource,
    client: MessageChannel,
    { consensus, roots }: ClientServices,
    limits: EnvelopeLimits,
    logger: Logger,
  ) {
    this.#from = from;
    this.#client = client;
    this.#consensus = consensus;
    this.#roots = roots;
    this.#limits = limits;
    const maxMessageBytes = Math.min(limits.maxMessageBytes, DEFAULT_LIMITS.maxMessageBytes);
    this.#answerLimits = { ...limits, maxMessageBytes };
    this.#logger = logger;
  }

  /** @throws EnvelopeError for a body that cannot be decoded, which ends the connection */
  receive(message: ApplicationMessage): void {
    const { event, body } = message;
    if (event !== 'publishToDiscovery' && event !== 'pullDiscovery' && event !== 'pullTrustRoots') {
      return this.#end('a client sent what only nodes may send', event);
    }
    const decoded = decodeDiscoveryBody(event, body, this.#limits);
    if (decoded.event === 'pullDiscovery' || decoded.event === 'pullTrustRoots') {
      this.#isOurs(decoded.body);
      this.#pull(decoded.body);
    } else if (decoded.event === 'publishToDiscovery') {
      this.#isOurs(decoded.body);
      this.#publish(decoded.body);
    }
  }

  /** No deployed client knows this field, and whoever sets it reads any number of cells of a TLS record. */
  #isOurs({ requestID }: { readonly requestID: bigint }): void {
    if (requestID !== 0n) this.#client.shareRecords();
  }

  #publish(message: PublishToDiscovery): void {
    const { requestID } = message;
    this.#consensus.receivePublishThen(this.#from, message, ({ code, detail }: PublishOutcome) => {
      if (requestID === 0n) return;
      // Not made by `create`, which costs as much as sending it.
      const body = { $typeName: PublishToDiscoveryResultSchema.typeName, requestID, code: PUBLISH_CODES[code], detail };
      this.#client.post({ event: 'publishToDiscoveryResult', body }, this.#posted);
    });
  }

  #pull(pull: PullDiscovery | PullTrustRoots): void {
    if (this.#pulls.length >= MAX_WAITING_PULLS)
      return this.#end('a client pulls faster than it reads', 'pullDiscovery');
    this.#pulls.push(pull);
    if (!this.#pulling) this.#answerPulls().catch(this.#failed);
  }

  /** One after the other, and each message when the one before was taken, so that no client makes this node hold much. */
  async #answerPulls(): Promise<void> {
    this.#pulling = true;
    try {
      for (let pull = this.#pulls.shift(); pull !== undefined; pull = this.#pulls.shift()) {
        if (pull.$typeName === 'protocol.PullTrustRoots') {
          await this.#client.send({ event: 'trustRoots', body: answerRootPull(this.#roots.chain, pull) });
          continue;
        }
        for (const { event, body } of await this.#consensus.answerPull(pull, this.#answerLimits)) {
          await this.#client.sendEncoded(event, ...body);
        }
      }
    } finally {
      this.#pulling = false;
    }
  }

  #end(why: string, event: string): void {
    this.#logger.debug(why, { from: this.#from.source, event });
    this.#client.close();
  }

  readonly #posted = (error: unknown): void => {
    if (error !== null) this.#failed(error);
  };

  readonly #failed = (error: unknown): void => {
    this.#logger.debug('a client could not be answered', { from: this.#from.source, error });
    this.#client.close();
  };
}
