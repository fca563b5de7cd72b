/**
 * What happened, in order. Always a hash of it, so that two runs can be compared; the readable lines only when asked for.
 */
export class Trace {
  readonly lines: string[] = [];
  readonly #recording: boolean;
  #a = 0x811c9dc5;
  #b = 0x1b873593;
  #events = 0;
  readonly #codes = new Map<string, number>();

  constructor(recording: boolean) {
    this.#recording = recording;
  }

  /** How many events were noted. */
  get events(): number {
    return this.#events;
  }

  /** 64 bits in hexadecimal. */
  get hash(): string {
    return [this.#a, this.#b].map((part) => (part >>> 0).toString(16).padStart(8, '0')).join('');
  }

  /**
   * Notes an event.
   *
   * @param who the server or client, or the part of the simulation
   * @param numbers what tells this event from others; hashed
   * @param detail for people, made only when lines are recorded
   */
  note(timeMs: number, who: string, what: string, numbers: readonly number[], detail?: () => string): void {
    this.#events++;
    this.#mix(Math.round(timeMs * 1000));
    this.#mix(this.#codeOf(who));
    this.#mix(this.#codeOf(what));
    for (const number of numbers) this.#mix(number);
    if (!this.#recording) return;
    const time = timeMs.toFixed(3).padStart(11);
    this.lines.push(`${time}  ${who.padEnd(6)} ${what.padEnd(22)} ${detail ? detail() : numbers.join(' ')}`);
  }

  #mix(value: number): void {
    const low = value | 0;
    const high = Math.floor(value / 0x1_0000_0000) | 0;
    this.#a = Math.imul(this.#a ^ low, 0x01000193) ^ (this.#b >>> 15);
    this.#b = Math.imul(this.#b ^ high ^ (this.#a >>> 13), 0x85ebca6b) + low;
  }

  /** The same few names come again and again, so each is hashed once. */
  #codeOf(text: string): number {
    let code = this.#codes.get(text);
    if (code === undefined) {
      code = 0x811c9dc5;
      for (let i = 0; i < text.length; i++) code = Math.imul(code ^ text.charCodeAt(i), 0x01000193);
      this.#codes.set(text, code);
    }
    return code;
  }
}
