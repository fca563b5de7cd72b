import type { Clock } from '@discovery-raft/raft-core';
import { ClientError, type SourceAnswer } from '../errors.js';
import { formatAddress, withConnection, type ConnectNode, type NodeAddress } from '../node/node-address.js';
import { NodeClient, type NodeClientOptions, type PublishReceipt } from '../node/node-client.js';
import { race, type Answer } from './race.js';

/** What became of a publish. */
export type PublishResult =
  /** A node says that the packet is in the shared list. */
  | { readonly status: 'accepted'; readonly source: string; readonly answers: readonly SourceAnswer[] }
  /**
   * Nodes have the packet and did not confirm it: nodes without our extensions never do. Look for the item in one of the
   * next directories, or publish again.
   */
  | { readonly status: 'sentUnconfirmed'; readonly answers: readonly SourceAnswer[] }
  /** Every node that answered refuses it; the code of the first one. */
  | { readonly status: 'refused'; readonly code: PublishReceipt['code']; readonly answers: readonly SourceAnswer[] };

/** What {@link publishPacket} takes. */
export interface PublishOptions {
  /** In the order in which they are tried. */
  readonly nodes: readonly NodeAddress[];
  readonly connect: ConnectNode;
  /** Its `timeoutMs` is how long a node's receipt is waited for. */
  readonly client: NodeClientOptions;
  readonly clock: Clock;
  /** How long to wait for a node before the next one gets the packet too. */
  readonly staggerMs: number;
  readonly maxConcurrent: number;
  readonly timeoutMs: number;
  /** Ends it early. */
  readonly signal: AbortSignal;
}

interface NamedNode {
  readonly name: string;
  readonly node: NodeAddress;
}

/** The code of an answer: the node has the packet, and says nothing. */
const SENT = 'sentUnconfirmed';

/** Refusals that say something of the node or the moment, not of the packet. */
const PASSING = new Set<string>(['rateLimited', 'overloaded', 'notRunning', 'internal']);

/**
 * Publishes a signed packet through one node after the other until one confirms it. A refusal of one node is not believed
 * before the others were asked: nodes can lie, too.
 *
 * @throws ClientError CLIENT_NO_GOOD_ANSWER when no node could be given the packet, be it that no message can hold it
 */
export async function publishPacket(packet: Uint8Array, options: PublishOptions): Promise<PublishResult> {
  const sources = options.nodes.map((node) => ({ node, name: formatAddress(node) }));
  const receipts: PublishReceipt[] = [];
  let sent = false;
  const ask = async ({ node }: NamedNode, signal: AbortSignal): Promise<Answer<true>> => {
    const receipt = await withConnection(options.connect, node, signal, async ({ channel }) => {
      const client = new NodeClient(channel, options.client);
      try {
        return await client.publish(packet);
      } catch (error) {
        if (error instanceof ClientError && error.code === 'CLIENT_TIMEOUT') return null;
        throw error;
      }
    });
    if (receipt?.code === 'accepted') return { ok: true, value: true };
    if (receipt === null || receipt.code === 'unconfirmed') {
      sent = true;
      return { ok: false, code: SENT, detail: receipt?.detail ?? 'no receipt in time' };
    }
    receipts.push(receipt);
    return { ok: false, ...receipt };
  };
  const { clock, staggerMs, maxConcurrent, timeoutMs, signal } = options;
  const { best, answers } = await race<NamedNode, true>({
    ...{ sources, ask, clock, staggerMs, maxConcurrent, timeoutMs, signal, windowMs: 0 },
    isBetter: () => false,
    isEnough: () => true,
  });
  if (best !== undefined) return { status: 'accepted', source: best.source.name, answers };
  if (sent) return { status: 'sentUnconfirmed', answers };
  const refusal = receipts.find(({ code }) => !PASSING.has(code)) ?? receipts[0];
  if (refusal !== undefined) return { status: 'refused', code: refusal.code, answers };
  throw new ClientError('CLIENT_NO_GOOD_ANSWER', 'no node took the packet', { answers });
}
