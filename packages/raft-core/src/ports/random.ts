/** A source of randomness, for spreading timeouts. Not for secrets. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
}
