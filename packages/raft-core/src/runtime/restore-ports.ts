import type { Driver } from './driver.js';
import type { UserRestorePorts } from './user-restore.js';

/** What a user's restore needs of its node, by way of the node's driver. */
export function restorePortsOf(driver: Driver<unknown>, signal: AbortSignal | undefined): UserRestorePorts {
  return {
    store: driver.restoreStore,
    signal,
    begin: (ask) => driver.restores.open(ask),
    feed: (input) => driver.feed(input),
    configuration: () => driver.core.configuration,
    leads: (epoch) => !driver.stopped && driver.core.leaderEpoch === epoch,
    watch: (look) => {
      driver.events.on('stateChange', look);
      return () => driver.events.off('stateChange', look);
    },
    settled: async (index) => {
      await driver.confirmRead();
      await driver.appliedThrough(index);
    },
    install: async (meta) => {
      await driver.applyLane.restore(meta, () => driver.options.snapshotStore.open(meta.id));
      driver.snapshots.passed(meta);
    },
  };
}
