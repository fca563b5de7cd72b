import { isTimeDependent, validityOf, VERDICT_CODES } from '../src/index.js';
import { ANNA, BERT, CLEO, NODE, RELAY, regular, selfSigned } from './network.js';
import { NOT_AFTER, NOT_BEFORE } from './vectors.js';

test('a certificate holds as long as it and all that vouch for it do', () => {
  const own = selfSigned(NODE);
  expect(validityOf(own)).toEqual({ notBefore: own.notBefore, notAfter: own.notAfter });
  const vouched = regular(RELAY, [ANNA, BERT, CLEO]);
  expect(validityOf(vouched)).toEqual({ notBefore: NOT_BEFORE, notAfter: NOT_AFTER });
  const [first, ...others] = vouched.trustSignatures;
  const shorter = { ...first!, certificate: { ...first!.certificate, notAfter: NOT_AFTER - 5 } };
  const longer = others.map((one) => ({ ...one, certificate: { ...one.certificate, notBefore: NOT_BEFORE + 7 } }));
  expect(validityOf({ ...vouched, trustSignatures: [shorter, ...longer] })).toEqual({
    notBefore: NOT_BEFORE + 7,
    notAfter: NOT_AFTER - 5,
  });
});

test('only what a date decides may be decided otherwise at another moment', () => {
  expect(VERDICT_CODES.filter(isTimeDependent)).toEqual(['PKI_NOT_YET_VALID', 'PKI_EXPIRED', 'PKI_DELEGATE_NOT_VALID']);
});
