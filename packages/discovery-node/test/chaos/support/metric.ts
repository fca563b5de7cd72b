import type { RealNode } from '../../support/real-network.js';

/** The sum of all values of a metric of a node, or of those whose labels match. */
export async function metric({ admin }: RealNode, name: string, labels = /(?:)/): Promise<number> {
  const { text } = await admin.call('metrics', {});
  let sum = 0;
  for (const [, of = '', value] of text.matchAll(new RegExp(`^discovery_${name}(?:\\{(.*)\\})? (\\S+)$`, 'gm'))) {
    if (labels.test(of)) sum += Number(value);
  }
  return sum;
}
