import { hash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { connectOverTls, NodeClient } from '@discovery-raft/discovery-client';
import { createNodeIdentity, DiscoveryNode, memoryStores } from '@discovery-raft/discovery-node';
import { DiscoveryDirectorySchema } from '@discovery-raft/protocol';
import { createTrustRoot, SigningKey } from '@discovery-raft/psp-pki';
import { PspListener, type LinkCredentials } from '@discovery-raft/psp-link';

const DAY_SECONDS = 86_400;

/** A node in this process that serves a directory over TLS, and a client of it. */
export interface ServedDirectory {
  /** Pulls the directory as `DiscoveryClient` does before it verifies; throws when it is not all there. */
  readonly pull: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Begins to serve a directory with so many bytes of listing, whatever they say. */
export async function serveDirectory(credentials: LinkCredentials, bytes: number): Promise<ServedDirectory> {
  const now = Math.floor(Date.now() / 1000);
  const dates = { notBefore: now - DAY_SECONDS, notAfter: now + DAY_SECONDS };
  const [masterKey, signingKey] = [1, 2].map((i) => SigningKey.fromSeed(new Uint8Array(32).fill(i)));
  const identity = createNodeIdentity({ role: 'discovery', masterKey: masterKey!, signingKey: signingKey!, ...dates });
  const listing = new Uint8Array(bytes).fill(7);
  const directory = create(DiscoveryDirectorySchema, { directory: listing });
  const stored = {
    round: 1,
    creation: now,
    expiration: now + DAY_SECONDS,
    digest: hash('sha256', listing, 'buffer'),
    items: 0,
    directory,
  };
  const node = await DiscoveryNode.create({
    identity,
    root: createTrustRoot({ discoveryNodes: [identity.identity] }),
    members: [{ identity: identity.identity }],
    consensus: { standalone: true },
    stores: {
      ...memoryStores(),
      directoryStore: {
        load: () => Promise.resolve({ directory: stored, signed: null }),
        saveDirectory: () => Promise.resolve(),
        recordSigned: () => Promise.resolve(),
      },
    },
  });
  const listener = await PspListener.listen({
    host: '127.0.0.1',
    port: 0,
    credentials,
    trusted: () => false,
    onConnection: (connection) => connection.onStream((stream) => node.attachClient({ source: 'bench' }, stream)),
  });
  const { signal } = new AbortController();
  const connected = await connectOverTls()({ host: '127.0.0.1', port: listener.port }, { signal });
  const client = new NodeClient(connected.channel, { version: 'xpx-discovery-1.0' });
  return {
    pull: async () => {
      const pulled = await client.pull();
      if (pulled.directory.length !== bytes) throw new Error(`${pulled.directory.length} bytes were pulled`);
    },
    close: async () => {
      connected.close();
      await listener.close();
      await node.stop();
    },
  };
}
