import { PkiError } from './errors.js';
import { parseIdentity } from './identity.js';
import { XPX_PROFILE, type NetworkProfile } from './profile.js';

/** Whom a node believes without further proof. Part of its configuration, the same for all nodes of a network. */
export interface TrustRoot {
  readonly profile: NetworkProfile;
  /** Identities whose trust signatures count. */
  readonly authorities: ReadonlySet<string>;
  /** Identities of the discovery nodes; with the authorities, the only ones whose self-signed certificates are valid. */
  readonly discoveryNodes: ReadonlySet<string>;
  /** How many distinct authorities must have signed a regular certificate. */
  readonly threshold: number;
}

/** What {@link createTrustRoot} takes; each part has a default. */
export interface TrustRootOptions {
  /** Default {@link XPX_PROFILE}. */
  readonly profile?: NetworkProfile;
  readonly authorities?: Iterable<string>;
  readonly discoveryNodes?: Iterable<string>;
  /** Default 3. */
  readonly threshold?: number;
}

/** How many authorities must sign unless configured otherwise (WIRE section 5). */
export const DEFAULT_AUTHORITY_THRESHOLD = 3;

function nodesOf(texts: Iterable<string>, profile: NetworkProfile): ReadonlySet<string> {
  const identities = new Set(texts);
  for (const text of identities) {
    const { namespace, type } = parseIdentity(text);
    if (namespace !== profile.systemNamespace || type !== 'node') {
      throw new PkiError('PKI_INVALID_ARGUMENT', 'a trusted identity is a node of the network profile', { text });
    }
  }
  return identities;
}

/**
 * A trust root whose identities were all read and belong to the profile. The sets are copied.
 *
 * @throws PkiError `PKI_INVALID_ARGUMENT` for an identity of another profile or type, or a threshold that is not an
 *   integer from 1 to the number of authorities (with no authorities at all: from 1); and those of `parseIdentity`
 */
export function createTrustRoot(options: TrustRootOptions): TrustRoot {
  const profile = options.profile ?? XPX_PROFILE;
  const threshold = options.threshold ?? DEFAULT_AUTHORITY_THRESHOLD;
  const authorities = nodesOf(options.authorities ?? [], profile);
  const discoveryNodes = nodesOf(options.discoveryNodes ?? [], profile);
  if (!Number.isSafeInteger(threshold) || threshold < 1) {
    throw new PkiError('PKI_INVALID_ARGUMENT', 'the threshold is an integer of at least 1', { threshold });
  }
  if (authorities.size > 0 && threshold > authorities.size) {
    throw new PkiError('PKI_INVALID_ARGUMENT', 'the threshold is above the number of authorities', { threshold });
  }
  return { profile, authorities, discoveryNodes, threshold };
}
