// Reads the certificate file of the TLS listeners, and says what is wrong with it.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { ConfigError } from './config/config-error.ts'

/**
 * Reads a certificate (with those that signed it behind it, if any) and its private key, in any order.
 * @returns The PEM text, fit for `node:tls`; null if there is no file to be read.
 * @throws {ConfigError} whose place is the file.
 */
export function readCertificate(file: string | null): string | null {
  if (file === null) return null
  const refuse = (found: string, cause?: unknown): ConfigError =>
    new ConfigError(file, 'cert', 'a certificate and its private key in PEM', found, { cause })
  let pem: string
  try {
    pem = readFileSync(file, 'utf8')
  } catch (cause) {
    throw refuse(`a file that cannot be read (${codeOf(cause)})`, cause)
  }
  // One by one, because OpenSSL says the same of a missing key and a missing certificate, and Node takes no text at all
  // for a server without a certificate.
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(pem)
  } catch (cause) {
    throw refuse('no certificate that can be read', cause)
  }
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch (cause) {
    const isEncrypted = /^(?:-----BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED)/m.test(pem)
    throw refuse(isEncrypted ? 'an encrypted private key' : 'no private key that can be read', cause)
  }
  if (!certificate.checkPrivateKey(key)) throw refuse('the private key of another certificate')
  try {
    createSecureContext({ cert: pem, key: pem })
  } catch (cause) {
    throw refuse(`one that cannot be used (${codeOf(cause)})`, cause)
  }
  return pem
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'no reason given'
}
