import { hash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { DiscoverySignatureSchema } from '@discovery-raft/protocol';
import { EntryType, systemClock } from '@discovery-raft/raft-core';
import { ListWriter, SharedList, type ListSchema, type NewAttestation } from '@discovery-raft/raft-log-list';
import type { Bench } from '../bench.js';
import { median } from '../rate.js';

const liveItems = 10_000;
const updatesAtOnce = 1000;
const packetBytes = 1200;

/** A packet of this benchmark: identity 8 digits, expiration 8 digits, and filling. */
const schema: ListSchema = {
  describe(packet) {
    const text = Buffer.from(packet.buffer, packet.byteOffset, 16).toString('latin1');
    return { identity: text.slice(0, 8), expiration: Number(text.slice(8)) };
  },
  attester: (signature) => Buffer.from(signature.certificate).toString('latin1'),
};

const attestation: NewAttestation = {
  signature: create(DiscoverySignatureSchema, {
    certificate: Buffer.from('node'.padEnd(170, '.')),
    signature: new Uint8Array(64),
  }),
  expiration: 99_999_999,
};

function packetOf(item: number, expiration: number): Uint8Array {
  const packet = new Uint8Array(packetBytes);
  packet.set(Buffer.from(String(item).padStart(8, '0') + String(expiration).padStart(8, '0'), 'latin1'));
  return packet;
}

/** A writer over a log of its own that applies at once: what is measured is the list, not Raft. */
function makeList(): { list: SharedList; writer: ListWriter } {
  const list = new SharedList({ schema, sha256: (bytes) => hash('sha256', bytes, 'binary') });
  let index = 0;
  const writer = new ListWriter({
    list,
    clock: systemClock,
    attestationThreshold: 1,
    coalesceMs: 0,
    propose: (data) => {
      const entry = { index: ++index, term: 1, type: EntryType.command, data };
      return Promise.resolve({ index: entry.index, response: list.apply(entry, { redact() {} }) });
    },
  });
  writer.takeOver();
  return { list, writer };
}

/** Refreshes of live items per second: insert the new packet, delete the original. */
const updateRate: Bench = {
  name: `list/update/${liveItems}`,
  unit: 'update/s',
  run: async ({ effort }) => {
    const rates: number[] = [];
    for (let repeat = 0; repeat < effort.repeats; repeat++) {
      const { list, writer } = makeList();
      for (let i = 0; i < liveItems; i++) await writer.upsert(packetOf(i, 1), attestation);
      const end = performance.now() + effort.seconds * 1000;
      const begin = performance.now();
      let updates = 0;
      while (performance.now() < end) {
        const batch = Array.from({ length: updatesAtOnce }, () => {
          const expiration = 2 + Math.floor(updates / liveItems);
          return writer.upsert(packetOf(updates++ % liveItems, expiration), attestation);
        });
        await Promise.all(batch);
      }
      rates.push((updates / (performance.now() - begin)) * 1000);
      if (list.size > liveItems * 2) throw new Error(`The list has grown to ${list.size} records.`);
      writer.stepDown();
    }
    return { value: median(rates) };
  },
};

export default [updateRate];
