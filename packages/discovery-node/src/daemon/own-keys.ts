import { fingerprintOfCredentials, type LinkCredentials } from '@discovery-raft/psp-link';
import type { Logger } from '@discovery-raft/raft-core';
import { NodeError } from '../errors.js';
import { adoptNextLink, readKeys, readNextLink, type NodeKeys } from '../keys/key-folder.js';
import type { DiscoveryNode } from '../node/discovery-node.js';
import type { NodeLinks } from './links.js';

/** What {@link OwnKeys} takes. */
export interface OwnKeysOptions {
  readonly folder: string;
  readonly keys: NodeKeys;
  readonly node: DiscoveryNode;
  readonly links: NodeLinks;
  readonly logger: Logger;
}

/**
 * The keys of a running node: takes new certificates when told to, and changes to the prepared link identity when a trust
 * root with its fingerprint comes into force.
 */
export class OwnKeys {
  readonly #options: OwnKeysOptions;
  #keys: NodeKeys;
  #changing = false;

  constructor(options: OwnKeysOptions) {
    this.#options = options;
    this.#keys = options.keys;
    options.node.rootService.onLook(() => void this.#look());
  }

  get keys(): NodeKeys {
    return this.#keys;
  }

  /**
   * Reads the key folder again, and uses what is there.
   *
   * @throws NodeError NODE_KEYS_UNREADABLE, also for keys of another identity or fingerprint: those need a trust root
   */
  async reload(): Promise<NodeKeys> {
    const { folder, node, links, logger } = this.#options;
    const fresh = await readKeys(folder);
    if (fresh.fingerprint !== this.#keys.fingerprint) {
      throw new NodeError('NODE_KEYS_UNREADABLE', 'the link keys are of another fingerprint: that needs a trust root', {
        folder,
      });
    }
    node.useIdentity(fresh.identity);
    links.useCredentials(fresh.link);
    this.#keys = fresh;
    logger.info('new certificates are in use', { signsUntil: fresh.identity.certificate.notAfter });
    return fresh;
  }

  async #look(): Promise<void> {
    const { node, logger } = this.#options;
    const wanted = node.rootService.own?.fingerprint;
    if (wanted === undefined || wanted === this.#keys.fingerprint || this.#changing) return;
    this.#changing = true;
    try {
      await this.#change(wanted);
      this.#changing = false;
    } catch (error) {
      // It stays so: a person has to bring the keys, and restart.
      logger.error('the trust root in force names a fingerprint that this node has no keys for', { wanted, error });
    }
  }

  async #change(wanted: string): Promise<void> {
    const { folder, links, logger } = this.#options;
    const next: LinkCredentials = await readNextLink(folder);
    if (fingerprintOfCredentials(next) !== wanted) {
      throw new NodeError('NODE_KEYS_UNREADABLE', 'the prepared link keys are of another fingerprint', { folder });
    }
    await adoptNextLink(folder);
    links.useCredentials(next);
    this.#keys = { ...this.#keys, link: next, fingerprint: wanted };
    logger.info('the link identity was changed, as the trust root says', { fingerprint: wanted });
  }
}
