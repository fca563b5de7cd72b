import { ConsensusError } from '../errors.js';
import type { DiscoveryMessage } from '../messages.js';
import type { Handled } from '../refusals.js';
import { describeFailure, type Context } from './context.js';
import { no } from './not-heeded.js';

/** The way of every message between this node and the members. */
export class MemberDoor {
  readonly #context: Context;
  readonly #running: () => boolean;

  constructor(context: Context, running: () => boolean) {
    this.#context = context;
    this.#running = running;
  }

  /** Handles a message of a member: strangers are refused, nothing is thrown, refusals are counted. */
  async heed(from: string, handle: () => Promise<Handled>): Promise<Handled> {
    const { tally, committees, self, emit } = this.#context;
    let handled: Handled;
    if (!this.#running()) handled = no('notRunning', '');
    else if (!committees.known.has(from) || from === self) handled = no('unknownPeer', from.slice(0, 255));
    else {
      try {
        handled = await handle();
      } catch (error) {
        handled = no('internal', describeFailure(error));
      }
    }
    if (!handled.ok) {
      tally.refusals[handled.code]++;
      emit('messageRefused', { from, code: handled.code, detail: handled.detail });
    }
    return handled;
  }

  /** Sends to one member. @throws ConsensusError CONSENSUS_CHANNEL_FAILED */
  async send(peer: string, message: DiscoveryMessage): Promise<void> {
    this.#context.tally.sent++;
    try {
      await this.#context.ports.channel.send(peer, message);
    } catch (error) {
      this.#context.tally.sendFailures++;
      throw new ConsensusError('CONSENSUS_CHANNEL_FAILED', 'the peer cannot be reached', { peer }, error);
    }
  }
}
