import { allServers } from '../core/configuration.js';
import type { Configuration, ServerId } from '../core/types.js';

/** Sees, from the configurations as they are applied, when a node is no member any more. */
export class RemovalWatch {
  readonly #id: ServerId;
  /** Whether the last applied configuration names the node. */
  #wasMember = false;

  constructor(id: ServerId) {
    this.#id = id;
  }

  /**
   * Takes a committed configuration.
   *
   * @param newest the newest configuration of the log: a node that starts again also meets configurations of its past
   * @returns whether it removes the node for good, as far as the log tells
   */
  applied(configuration: Configuration, newest: Configuration): boolean {
    const removed = this.#wasMember && !this.#names(configuration);
    this.#wasMember = this.#names(configuration);
    return removed && !this.#names(newest);
  }

  #names(configuration: Configuration): boolean {
    return allServers(configuration).some(({ id }) => id === this.#id);
  }
}
