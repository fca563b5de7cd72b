import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { fromHex } from './vectors.js';

/** A signature on which libraries may differ, and the network's verdict. */
export interface EdgeCase {
  readonly name: string;
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  readonly isGood: boolean;
}

type Text = Readonly<Record<'name' | 'publicKey' | 'message' | 'signature', string>> & Pick<EdgeCase, 'isGood'>;

const file = JSON.parse(readFileSync(join(__dirname, 'fixtures', 'ed25519-edges.json'), 'utf8')) as {
  signatures: Text[];
};

export const edgeCases: readonly EdgeCase[] = file.signatures.map(({ name, isGood, ...hex }) => ({
  name,
  isGood,
  publicKey: fromHex(hex.publicKey),
  message: fromHex(hex.message),
  signature: fromHex(hex.signature),
}));
