import { hash } from 'node:crypto';
import { openRaftPacket, signedContentOf, wrapRaftPacket, type RaftPacketFields } from '@discovery-raft/psp-envelope';
import { createTrustRoot, VerifyingKey } from '@discovery-raft/psp-pki';
import { silentLogger, SimulatedClock, type Logger } from '@discovery-raft/raft-core';
import fc from 'fast-check';
import {
  createNodeIdentity,
  NodeSigner,
  oneRoot,
  PacketSignatures,
  type NodeIdentity,
  type PacketSignaturesOptions,
  type VerifierRoots,
} from '../src/index.js';
import { AUTHORITIES, DATES, keyOf, network, NOON, official, relay, tampered, VERSION } from './fixtures/people.js';
import { appendEntries, snapshotChunk } from './fixtures/raft-messages.js';

const { root, identities } = network(3);
const [SELF, PEER, THIRD] = identities as [NodeIdentity, NodeIdentity, NodeIdentity];
const DAY = 86_400;

interface Guarded {
  readonly guard: PacketSignatures;
  readonly clock: SimulatedClock;
  readonly told: { readonly level: string; readonly message: string; readonly details: unknown }[];
}

function guarded(options: Partial<PacketSignaturesOptions> = {}): Guarded {
  const clock = new SimulatedClock();
  const told: Guarded['told'] = [];
  const tell = (level: string) => (message: string, details?: unknown) => void told.push({ level, message, details });
  const logger: Logger = { ...silentLogger, warn: tell('warn'), error: tell('error') };
  const defaults = { policy: 'prefer', signer: new NodeSigner(SELF), roots: oneRoot(root), now: () => NOON } as const;
  return { guard: new PacketSignatures({ ...defaults, clock, logger, ...options }), clock, told };
}

/** An unsigned packet to this node. */
function packetOf(source = PEER.identity, packetId = 1): RaftPacketFields {
  const names = { version: VERSION, sourceId: source, destinationId: SELF.identity, packetId };
  return openRaftPacket(wrapRaftPacket({ ...names, message: appendEntries(source) }));
}

/** A packet to this node, signed by its source, or by whoever is said. */
function signedPacket(signer = PEER, packet = packetOf(signer.identity)): RaftPacketFields {
  return { ...packet, signature: guarded({ signer: new NodeSigner(signer) }).guard.sign(packet) };
}

/** PEER with a new key and certificate. */
function renewed(dates: { readonly notBefore: number; readonly notAfter: number }): NodeIdentity {
  const keys = { masterKey: keyOf('node 1 master'), signingKey: keyOf('node 1 again') };
  const fresh = createNodeIdentity({ role: 'discovery', ...keys, ...dates });
  expect(fresh.identity).toBe(PEER.identity);
  return fresh;
}

test('what a node signs, its peers take', () => {
  for (const policy of ['require', 'prefer'] as const) {
    const { guard } = guarded({ policy });
    const sign = (packet: RaftPacketFields) => guarded({ signer: new NodeSigner(PEER) }).guard.sign(packet);
    const names = { version: VERSION, sourceId: PEER.identity, destinationId: SELF.identity, packetId: 7 };
    for (const message of [appendEntries(PEER.identity), snapshotChunk(PEER.identity)]) {
      expect(guard.judge(openRaftPacket(wrapRaftPacket({ ...names, message, sign })))).toBeNull();
    }
    expect(guard.counts.get(PEER.identity)).toEqual({ good: 2, outsideDates: 0, none: 0 });
  }
});

test.each<[string, Partial<RaftPacketFields>]>([
  ['another version', { version: 'xpx-discovery-9.9' }],
  ['another destination: diverted, or reflected', { destinationId: THIRD.identity }],
  ['another kind', { msgType: packetOf().msgType + 1 }],
  ['another packet id', { packetId: 2 }],
  ['another payload', { payload: tampered(packetOf().payload, 3) }],
  ['a payload that was cut', { payload: packetOf().payload.subarray(1) }],
])('a signature holds for nothing else: %s', (_, change) => {
  const { guard } = guarded();
  expect(guard.judge({ ...signedPacket(), ...change })).toBe('badSignature');
  expect(guard.judge(signedPacket())).toBeNull();
});

test('a packet of one source, signed by another', () => {
  const { guard } = guarded();
  expect(guard.judge({ ...signedPacket(THIRD), sourceId: PEER.identity })).toBe('wrongSigner');
  // Its own certificate, and another's key.
  const packet = packetOf();
  const { signature } = guarded({ signer: new NodeSigner(THIRD) }).guard.sign(packet);
  expect(guard.judge({ ...packet, signature: { certificate: PEER.certificate.bytes, signature } })).toBe(
    'badSignature',
  );
});

test('what its node signed for another purpose is no signature of a packet', async () => {
  const { guard } = guarded();
  const signer = new NodeSigner(PEER);
  const packet = packetOf();
  const content = signedContentOf(packet, (bytes) => hash('sha256', bytes, 'buffer'));
  const domainEnd = content.indexOf(0) + 1;
  expect(domainEnd).toBeGreaterThan(20);
  for (const bytes of [packet.payload, content.subarray(domainEnd), new Uint8Array(0)]) {
    const { certificate, signature } = await signer.sign(bytes);
    expect(guard.judge({ ...packet, signature: { certificate, signature } })).toBe('badSignature');
  }
});

test('certificates: of nobody, self-made for a name, altered in any byte', () => {
  const { guard } = guarded();
  const stranger = official('a stranger', 'discovery');
  expect(guard.judge(signedPacket(stranger))).toBe('badCertificate');
  expect(guard.judge(signedPacket(official('anna', 'auth')))).toBe('badCertificate');
  expect(guard.judge(signedPacket(relay('ada')))).toBe('badCertificate');
  const good = signedPacket();
  const { certificate, signature } = good.signature!;
  for (let at = 0; at < certificate.length; at++) {
    const forged = { ...good, signature: { certificate: tampered(certificate, at), signature } };
    expect(['badCertificate', 'wrongSigner']).toContain(guard.judge(forged));
  }
  expect(guard.judge(good)).toBeNull();
});

test('garbage in place of certificate or signature is refused, and throws nothing', () => {
  const { guard } = guarded();
  const good = signedPacket();
  const bytes = fc.uint8Array({ maxLength: 400 });
  fc.assert(
    fc.property(bytes, bytes, fc.boolean(), fc.boolean(), (certificate, signature, keepsOne, which) => {
      const garbled = keepsOne
        ? which
          ? { ...good.signature!, signature }
          : { ...good.signature!, certificate }
        : { certificate, signature };
      expect(['badCertificate', 'badSignature']).toContain(guard.judge({ ...good, signature: garbled }));
    }),
  );
  expect(guard.judge(good)).toBeNull();
});

describe('no signature', () => {
  test('is refused where one is required', () => {
    const { guard } = guarded({ policy: 'require' });
    expect(guard.judge(packetOf())).toBe('unsigned');
    expect(guard.judge(signedPacket())).toBeNull();
    expect(guard.judge(packetOf())).toBe('unsigned');
  });

  test('is taken of a peer that has never signed; who has signed once must go on to', () => {
    const { guard } = guarded();
    expect(guard.judge(packetOf())).toBeNull();
    expect(guard.judge({ ...signedPacket(), packetId: 2 })).toBe('badSignature');
    // A bad signature is nobody's: it binds nobody.
    expect(guard.judge(packetOf())).toBeNull();
    expect(guard.judge(signedPacket())).toBeNull();
    expect(guard.judge(packetOf())).toBe('downgraded');
    expect(guard.judge(packetOf(THIRD.identity))).toBeNull();
    expect(Object.fromEntries(guard.counts)).toEqual({
      [PEER.identity]: { good: 1, outsideDates: 0, none: 2 },
      [THIRD.identity]: { good: 0, outsideDates: 0, none: 1 },
    });
  });
});

describe('dates', () => {
  test('a certificate outside its dates counts, and a person is told once', () => {
    for (const now of [DATES.notAfter + 1, DATES.notBefore - 1]) {
      const { guard, told } = guarded({ policy: 'require', now: () => now });
      for (let i = 0; i < 3; i++) expect(guard.judge(signedPacket())).toBeNull();
      expect(guard.counts.get(PEER.identity)).toEqual({ good: 0, outsideDates: 3, none: 0 });
      expect(told).toEqual([
        {
          level: 'warn',
          message: expect.stringContaining('outside its dates'),
          details: { peer: PEER.identity, ...DATES },
        },
      ]);
    }
  });

  test('one that was replaced ends with its dates, not before and not after', () => {
    let now = NOON;
    const { guard } = guarded({ now: () => now });
    const fresh = renewed({ notBefore: NOON - 60, notAfter: NOON + 90 * DAY });
    expect(guard.judge(signedPacket())).toBeNull();
    expect(guard.judge(signedPacket(fresh))).toBeNull();
    // On its way when the keys changed, or put back by a person.
    expect(guard.judge(signedPacket())).toBeNull();
    now = DATES.notAfter + 1;
    expect(guard.judge(signedPacket())).toBe('outdatedCertificate');
    expect(guard.judge(signedPacket(fresh))).toBeNull();
    now = NOON + 91 * DAY;
    expect(guard.judge(signedPacket(fresh))).toBeNull();
  });
});

test('a certificate is verified once for each trust root, and believed as soon as one names its node', () => {
  const verify = jest.spyOn(VerifyingKey.prototype, 'verify');
  const fourth = official('node 3', 'discovery');
  const larger = createTrustRoot({
    authorities: AUTHORITIES.map(({ certificate }) => certificate.identity.text),
    discoveryNodes: [...root.discoveryNodes, fourth.identity],
  });
  const roots = { version: 1, everyNode: root, at: oneRoot(root).at } satisfies VerifierRoots;
  const { guard } = guarded({ roots });
  const checks = (packet: RaftPacketFields): readonly [unknown, number] => {
    verify.mockClear();
    return [guard.judge(packet), verify.mock.calls.length];
  };
  const [own, others] = [signedPacket(), signedPacket(fourth)];
  expect([checks(own), checks(own), checks(own)]).toEqual([
    [null, 2],
    [null, 1],
    [null, 1],
  ]);
  expect(checks(others)).toEqual(['badCertificate', 0]);
  Object.assign(roots, { version: 2, everyNode: larger });
  expect([checks(others), checks(own), checks(own)]).toEqual([
    [null, 2],
    [null, 2],
    [null, 1],
  ]);
  verify.mockRestore();
});

test('a person is told of a refusal at once, and of those that follow once a minute, for each peer', async () => {
  const { guard, clock, told } = guarded({ policy: 'require' });
  const alarms = () => told.map(({ details }) => details as { peer: string; times: number; code: string });
  for (let i = 0; i < 10; i++) guard.judge(packetOf());
  guard.judge(packetOf(THIRD.identity));
  expect(alarms()).toEqual([
    expect.objectContaining({ code: 'raftPacketsRefused', peer: PEER.identity, times: 1 }),
    expect.objectContaining({ peer: THIRD.identity, times: 1 }),
  ]);
  await clock.advance(60_000);
  guard.judge(packetOf());
  expect(alarms()[2]).toMatchObject({ peer: PEER.identity, times: 10, detail: expect.stringContaining('not signed') });
  expect(guard.alarms).toBe(3);
});
