import type { LogIndex } from '@discovery-raft/raft-core';
import { encodeEntry } from '../codec/entry-codec.js';
import type { ListError } from '../errors.js';
import type { ListResult } from '../shared-list.js';
import { failedError } from './write-errors.js';

/** Appends to the log; tells once the entry is applied to the list, or why it is not, and not before it returns. */
export type Propose = (
  data: Uint8Array,
  applied: (applied: { readonly index: LogIndex; readonly response: ListResult }) => void,
  failed: (cause: unknown) => void,
) => void;

/** An entry on its way into the log. */
interface Proposal {
  readonly data: Uint8Array;
  readonly applied: (result: ListResult) => void;
  readonly failed: (error: ListError) => void;
}

/** The way of a leader's entries into the log, for one term. While it is held, only freeze markers pass. */
export class EntryGate {
  readonly #append: Propose;
  #pendingBytes = 0;
  /** Holds that were not released yet, and what they keep from the log, in order. */
  #holds = 0;
  #heldBack: Proposal[] = [];
  #ended = false;

  constructor(append: Propose) {
    this.#append = append;
  }

  /** Bytes of entries that were neither applied nor failed. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Keeps everything but freeze markers from the log until each hold is released. @returns releases it; idempotent */
  hold(): () => void {
    this.#holds++;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      if (--this.#holds > 0) return;
      const heldBack = this.#heldBack;
      this.#heldBack = [];
      for (const proposal of heldBack) this.#send(proposal);
    };
  }

  /** Proposes, at once or when nothing is held back any more. After {@link end}, neither callback is called. */
  propose(data: Uint8Array, applied: Proposal['applied'], failed: Proposal['failed']): void {
    this.#pendingBytes += data.length;
    const proposal = { data, applied, failed };
    if (this.#holds > 0) this.#heldBack.push(proposal);
    else this.#send(proposal);
  }

  /** Proposes the freeze marker of a round, held or not. After {@link end}, neither callback is called. */
  freeze(round: number, applied: Proposal['applied'], failed: Proposal['failed']): void {
    const data = encodeEntry({ round });
    this.#pendingBytes += data.length;
    this.#send({ data, applied, failed });
  }

  /** Forgets what is under way and held back. */
  end(): void {
    this.#ended = true;
    this.#heldBack = [];
    this.#pendingBytes = 0;
  }

  #send({ data, applied, failed }: Proposal): void {
    this.#append(
      data,
      ({ response }) => {
        if (this.#ended) return;
        this.#pendingBytes -= data.length;
        applied(response);
      },
      (cause) => {
        if (this.#ended) return;
        this.#pendingBytes -= data.length;
        failed(failedError(cause));
      },
    );
  }
}
