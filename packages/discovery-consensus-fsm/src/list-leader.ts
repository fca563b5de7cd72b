import type { ListWriter } from '@discovery-raft/raft-log-list';
import type { ListLeader } from './ports.js';

/**
 * A `ListWriter` as the port `writer`: it begins to write once all that earlier leaders wrote is applied here.
 *
 * @param barrier `Raft.barrier`: resolves when this node, leading, has applied everything up to now
 */
export function listLeader(writer: ListWriter, barrier: () => Promise<unknown>): ListLeader {
  return {
    upsert: (packet, attestation, claims) => writer.upsert(packet, attestation, claims),
    upsertThen: (packet, attestation, claims, told, failed) =>
      writer.upsertThen(packet, attestation, claims, told, failed),
    expire: (nowSeconds) => writer.expire(Math.floor(nowSeconds)),
    removeRecords: (identity, isBad) => writer.removeRecords(identity, isBad),
    freeze: (round) => writer.freeze(round),
    hold: () => writer.hold(),
    takeOver: async () => {
      await barrier();
      writer.takeOver();
    },
    stepDown: () => writer.stepDown(),
  };
}
