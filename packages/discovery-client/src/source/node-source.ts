import { formatAddress, withConnection, type ConnectNode, type NodeAddress } from '../node/node-address.js';
import { NodeClient, type NodeClientOptions } from '../node/node-client.js';
import type { DirectorySource } from './directory-source.js';

/** A discovery node over PSP as a source for a `DiscoveryClient`: a connection for each pull. */
export function nodeSource(node: NodeAddress, connect: ConnectNode, options: NodeClientOptions): DirectorySource {
  return {
    name: formatAddress(node),
    pullRoots: ({ newerThan, signal }) =>
      withConnection(connect, node, signal, ({ channel }) =>
        new NodeClient(channel, options).pullTrustRoots(newerThan),
      ),
    pull: ({ newerThan, signal }) =>
      withConnection(connect, node, signal, ({ channel }) => new NodeClient(channel, options).pullNewer(newerThan)),
  };
}
