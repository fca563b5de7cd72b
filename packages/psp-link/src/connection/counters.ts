import type { LinkErrorCode } from '../errors.js';

/** What went through a connection, or through all of a listener. Plain data. */
export interface LinkCounters {
  /** Inside TLS. */
  bytesSent: number;
  bytesReceived: number;
  cellsSent: number;
  cellsReceived: number;
  /** Cells that were skipped: of unknown commands, of circuits, and of streams that had ended. */
  cellsIgnored: number;
  streamsOpened: number;
  /** Ends of connections and streams, and refusals of either, by code. */
  refused: Partial<Record<LinkErrorCode, number>>;
}

/** Zero of everything. */
export function newLinkCounters(): LinkCounters {
  return {
    bytesSent: 0,
    bytesReceived: 0,
    cellsSent: 0,
    cellsReceived: 0,
    cellsIgnored: 0,
    streamsOpened: 0,
    refused: {},
  };
}

/** Counts one more of a code. */
export function countRefusal(counters: Pick<LinkCounters, 'refused'>, code: LinkErrorCode): void {
  counters.refused[code] = (counters.refused[code] ?? 0) + 1;
}

/** Adds counters to others. */
export function addCounters(total: LinkCounters, more: LinkCounters): void {
  total.bytesSent += more.bytesSent;
  total.bytesReceived += more.bytesReceived;
  total.cellsSent += more.cellsSent;
  total.cellsReceived += more.cellsReceived;
  total.cellsIgnored += more.cellsIgnored;
  total.streamsOpened += more.streamsOpened;
  for (const [code, count] of Object.entries(more.refused)) {
    const known = code as LinkErrorCode;
    total.refused[known] = (total.refused[known] ?? 0) + count;
  }
}
