import { constants, X509Certificate } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import type { LinkCredentials } from '../credentials/credentials.js';

/**
 * TLS as PSP wants it: 1.2 or 1.3, no resumption, no tickets, no compression, no renegotiation. A resumed session would
 * not show the certificate that the handshake of PSP is bound to.
 */
export const TLS_OPTIONS = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_COMPRESSION | constants.SSL_OP_NO_RENEGOTIATION,
} as const satisfies SecureContextOptions;

/** Certificate and key of a listener. */
export function serverContextOptions({ linkCertificate, linkKey }: LinkCredentials): SecureContextOptions {
  return {
    cert: new X509Certificate(linkCertificate).toString(),
    key: linkKey.export({ type: 'pkcs8', format: 'pem' }),
  };
}
