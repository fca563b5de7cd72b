import { crc32 as crc32OfZlib } from 'node:zlib';
import fc from 'fast-check';
import { crc32 } from '../src/state/checksum.js';

test('crc32 is that of zlib, in one piece and continued', () => {
  const bytes = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(bytes, bytes, (first, second) => {
      expect(crc32(first)).toBe(crc32OfZlib(first));
      expect(crc32(second, crc32(first))).toBe(crc32OfZlib(Buffer.concat([first, second])));
    }),
  );
});
