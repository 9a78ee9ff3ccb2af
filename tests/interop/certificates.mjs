// Certificates made by openssl, and fetch with and without them.
import { execFileSync } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, fetch } from 'undici'

const folder = mkdtempSync(join(tmpdir(), 'poplayer-interop-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

// A self-signed certificate for 127.0.0.1, over the key of another one if there is `like`.
export function certificate(name, like) {
  const certPath = join(folder, `${name}.crt`)
  const keyPath = like?.keyPath ?? join(folder, `${name}.key`)
  const key = like
    ? ['-key', keyPath]
    : ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyPath]
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2']
  execFileSync('openssl', ['req', '-x509', ...key, ...subject, '-out', certPath], { stdio: 'pipe' })
  const cert = readFileSync(certPath, 'utf8')
  const thumbprint = createHash('sha256').update(new X509Certificate(cert).raw).digest('base64url')
  return { certPath, keyPath, cert, key: readFileSync(keyPath, 'utf8'), thumbprint }
}

// Node's own fetch takes no client certificate.
export function fetchWith(server, own) {
  const dispatcher = new Agent({ connect: { ca: server.cert, cert: own?.cert, key: own?.key } })
  return (url, options) => fetch(url, { ...options, dispatcher, signal: AbortSignal.timeout(10_000) })
}
