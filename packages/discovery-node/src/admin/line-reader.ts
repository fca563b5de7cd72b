const NEWLINE = 0x0a;

/** Cuts bytes into lines. Takes no more memory than one line may have. */
export class LineReader {
  readonly #maxLineBytes: number;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** Whether a line has begun and not ended. */
  get midLine(): boolean {
    return this.#bytes > 0;
  }

  /** The lines that end in these bytes, without their ends; null when a line is too long, and nothing more can be read. */
  push(chunk: Buffer): readonly string[] | null {
    const lines: string[] = [];
    let begin = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, begin)) {
      if (!this.#take(chunk.subarray(begin, end))) return null;
      lines.push(Buffer.concat(this.#pieces).toString('utf8'));
      this.#pieces = [];
      this.#bytes = 0;
      begin = end + 1;
    }
    return this.#take(chunk.subarray(begin)) ? lines : null;
  }

  #take(piece: Buffer): boolean {
    if (this.#bytes + piece.length > this.#maxLineBytes) return false;
    if (piece.length > 0) this.#pieces.push(piece);
    this.#bytes += piece.length;
    return true;
  }
}
