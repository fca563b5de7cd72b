import { RAFT_HISTOGRAMS, type RaftHistograms } from '@discovery-raft/raft-core';

/** Raft's histograms in the text format of Prometheus. They are counted elsewhere, and prom-client only shows its own. */
export function formatHistograms(histograms: RaftHistograms): string {
  return Object.entries(RAFT_HISTOGRAMS)
    .map(([key, { help }]) => {
      const { bounds, counts, count, sum } = histograms[key as keyof RaftHistograms];
      const name = `discovery_raft_${snake(key)}`;
      let below = 0;
      const buckets = bounds.map((bound, i) => {
        below += counts[i] ?? 0;
        return `${name}_bucket{le="${bound}"} ${below}\n`;
      });
      const all = `${name}_bucket{le="+Inf"} ${count}\n${name}_sum ${sum}\n${name}_count ${count}\n`;
      return `# HELP ${name} ${help}\n# TYPE ${name} histogram\n${buckets.join('')}${all}`;
    })
    .join('');
}

/** `lastContactMs` becomes `last_contact_ms`, as names of metrics are. */
export function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
