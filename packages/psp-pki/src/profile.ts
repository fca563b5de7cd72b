import { PkiError } from './errors.js';

/** The strings in which the two names of the protocol differ (WIRE, introduction). */
export interface NetworkProfile {
  readonly name: 'xpx' | 'psp';
  /** The `version` of every discovery message. */
  readonly discoveryVersion: string;
  /** The namespace of identities of the network itself; a certificate of another namespace is refused. */
  readonly systemNamespace: string;
}

/** The profile of the deployed network, and the default everywhere. */
export const XPX_PROFILE: NetworkProfile = Object.freeze({
  name: 'xpx',
  discoveryVersion: 'xpx-discovery-1.0',
  systemNamespace: 'xpx',
});

/** The profile of the protocol's documents. */
export const PSP_PROFILE: NetworkProfile = Object.freeze({
  name: 'psp',
  discoveryVersion: 'psp-discovery-1.0',
  systemNamespace: 'peerstream',
});

/** The profile of a name, for configuration. Throws `PKI_INVALID_ARGUMENT` for a name that is neither. */
export function networkProfile(name: string): NetworkProfile {
  if (name === XPX_PROFILE.name) return XPX_PROFILE;
  if (name === PSP_PROFILE.name) return PSP_PROFILE;
  throw new PkiError('PKI_INVALID_ARGUMENT', 'a network profile is named xpx or psp');
}
