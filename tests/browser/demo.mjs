// The demo page in a real browser: sign-in, a call, every attack; then the same page at another origin.
// Usage: node demo.mjs PROTECTED_API_PROGRAM off|required
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { chromium } from 'playwright-core'

import { finish, test } from '../interop/harness.mjs'

const [program, nonce] = process.argv.slice(2)
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const pictures = process.env.POPLAYER_WRITE_PICTURES
const wait = { timeout: 20_000 }

// A second origin, which serves the page of the API.
let page = () => ({ status: 404 })
const elsewhere = createServer(async (request, response) => {
  const { status, headers = {}, body } = await page(request.url)
  response.writeHead(status, headers).end(body)
})
await once(elsewhere.listen(0, '127.0.0.1'), 'listening')
const other = `http://127.0.0.1:${elsewhere.address().port}`

const flags = ['--listen', '127.0.0.1:0', '--authserver-listen', '127.0.0.1:0', '--cors-origin', other, '--nonce', nonce]
const child = spawn(program, flags, { stdio: ['ignore', 'pipe', 'inherit'] })
process.on('exit', () => child.kill('SIGKILL'))
let api, issuer
for await (const line of createInterface({ input: child.stdout })) {
  issuer ??= line.match(/^authorization server +(\S+)/)?.[1]
  api ??= line.match(/^protected API +(\S+)/)?.[1]
  if (line.startsWith('still serving')) break
}
page = async (path) => {
  const { pathname } = new URL(path, api)
  const file = await fetch(api + pathname)
  const policy = file.headers.get('content-security-policy')?.replace("connect-src 'self'", `connect-src ${api}`)
  const headers = { 'content-type': file.headers.get('content-type') }
  if (policy) headers['content-security-policy'] = policy
  return { status: file.status, headers, body: Buffer.from(await file.arrayBuffer()) }
}

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
const problems = []
async function open(url, options = {}) {
  const tab = await browser.newPage({ viewport: { width: 1100, height: 900 }, ...options })
  const note = (text) => problems.push(text)
  tab.on('pageerror', (error) => note(error.message))
  tab.on('console', (message) => {
    // The browser reports each rejection of the API.
    if (message.type() === 'error' && !message.text().includes('the server responded with a status of')) note(message.text())
  })
  await tab.goto(url)
  return tab
}

const press = async (tab, name) => {
  const before = await tab.getByRole('article').count()
  await tab.getByRole('button', { name, exact: true }).click(wait)
  await tab.getByRole('article').nth(before).waitFor(wait)
  return tab.getByRole('article').first()
}

async function signIn(tab) {
  await tab.getByRole('button', { name: 'Sign in' }).click(wait)
  await tab.getByText('Signed in: there is a token').waitFor(wait)
}

const attacks = [
  ['Replay the request', 'invalid_dpop_proof'],
  ['Use the stolen token', 'invalid_token'],
  ['Use it as a bearer token', 'invalid_token'],
  ['Change the method', 'invalid_dpop_proof'],
  ['Change the URL', 'invalid_dpop_proof'],
  ['Use an old proof', 'invalid_dpop_proof'],
]

async function callAndAttack(tab) {
  const good = await press(tab, 'Read the notes')
  assert.match(await good.innerText(), /Read the notes: 200, accepted[\s\S]*buy milk/)
  assert.equal(await good.getAttribute('class'), 'expected')
  for (const [name, error] of attacks) {
    const article = await press(tab, name)
    const text = await article.innerText()
    assert.match(text, new RegExp(`${name}: 401, rejected`))
    assert.match(text, new RegExp(`Why\\s+[A-Z][^(]+\\(${error}\\)`), text)
    assert.match(text, /(GET|POST) http:\/\/127\.0\.0\.1:\d+\/\w+\s+Authorization: (DPoP|Bearer) eyJ/)
    assert.equal(await article.getAttribute('class'), 'expected', name)
  }
  const again = await press(tab, 'Read the notes')
  assert.match(await again.innerText(), /200, accepted/)
}

await test(`X-28 X-30 nonces ${nonce}: the page calls the API, and each attack is rejected with a reason`, async () => {
  const tab = await open(`${api}/demo`)
  for (const name of ['Read the notes', ...attacks.map(([name]) => name)]) {
    assert.ok(await tab.getByRole('button', { name, exact: true }).isDisabled(), `${name} before the sign-in`)
  }
  await signIn(tab)
  assert.equal(tab.url(), `${api}/demo`, 'the code is not in the address any more')
  await callAndAttack(tab)
  if (pictures) {
    await tab.screenshot({ path: join(pictures, 'demo-page.png') })
    await press(tab, 'Use the stolen token')
    const article = tab.getByRole('article').first()
    await article.screenshot({ path: join(pictures, 'demo-page-stolen-token.png') })
  }
  await tab.close()
})

await test(`nonces ${nonce}: the private key cannot be copied out of the page`, async () => {
  const tab = await open(`${api}/demo`)
  await signIn(tab)
  const found = await tab.evaluate(async () => {
    const { savedKey } = await import('/demo/proof.js')
    const { privateKey, publicKey } = await savedKey()
    const copied = await crypto.subtle.exportKey('jwk', privateKey).catch((error) => error.name)
    const stored = JSON.stringify([Object.entries(sessionStorage), Object.entries(localStorage), document.cookie])
    return { copied, extractable: privateKey.extractable, open: (await crypto.subtle.exportKey('jwk', publicKey)).kty, stored }
  })
  assert.deepEqual(found, { copied: 'InvalidAccessError', extractable: false, open: 'EC', stored: '[[],[],""]' })
  await tab.close()
})

await test(`nonces ${nonce}: the policy of the page stops scripts that are not its own, and other servers`, async () => {
  const response = await fetch(`${api}/demo`)
  const policy = response.headers.get('content-security-policy')
  assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self';/)
  assert.ok(!policy.includes('unsafe') && !policy.includes('*'))
  const tab = await browser.newPage()
  await tab.goto(`${api}/demo`)
  const blocked = await tab.evaluate(async (elsewhere) => {
    const violations = []
    document.addEventListener('securitypolicyviolation', (event) => violations.push(event.effectiveDirective))
    document.body.append(Object.assign(document.createElement('img'), { src: '/x.png' }))
    const refused = await fetch(elsewhere).then(() => false, () => true)
    try {
      document.body.innerHTML = '<b>x</b>'
    } catch {
      violations.push('TrustedHTML')
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
    return { refused, violations: [...new Set(violations)].sort() }
  }, `${other}/demo`)
  assert.equal(blocked.refused, true)
  for (const directive of ['TrustedHTML', 'connect-src', 'img-src']) {
    assert.ok(blocked.violations.includes(directive), `${directive}: ${blocked.violations}`)
  }
  await tab.close()
})

await test(`nonces ${nonce}: a page at another origin that is allowed calls the API and reads why it is rejected`, async () => {
  const tab = await open(`${other}/demo?api=${encodeURIComponent(api)}`)
  await signIn(tab)
  assert.equal(new URL(tab.url()).origin, other)
  await callAndAttack(tab)
  await tab.close()
})

await test(`nonces ${nonce}: a page at an origin that is not allowed reads nothing`, async () => {
  const stranger = createServer((_, response) => response.end('<!doctype html>'))
  await once(stranger.listen(0, '127.0.0.1'), 'listening')
  const tab = await browser.newPage()
  await tab.goto(`http://127.0.0.1:${stranger.address().port}/`)
  const read = (url) => tab.evaluate((url) => fetch(url, { headers: { DPoP: 'x' } }).then(() => true, () => false), url)
  assert.deepEqual([await read(`${api}/notes`), await read(`${issuer}/jwks`)], [false, false])
  const allowed = await open(`${other}/demo?api=${encodeURIComponent(api)}`)
  const twin = (url) => allowed.evaluate((url) => fetch(url, { headers: { DPoP: 'x' } }).then(() => true, () => false), url)
  assert.deepEqual([await twin(`${api}/notes`), await twin(`${issuer}/jwks`)], [true, true])
  await Promise.all([tab.close(), allowed.close()])
  stranger.close()
})

await test(`nonces ${nonce}: the page works by keyboard, and assistive technology gets names, roles and news`, async () => {
  const tab = await open(`${api}/demo`)
  await tab.getByText('Not signed in.').waitFor(wait)
  await tab.getByRole('button', { name: 'Sign in' }).focus()
  await tab.keyboard.press('Enter')
  await tab.getByText('Signed in: there is a token').waitFor(wait)
  await tab.waitForFunction(() => [...document.querySelectorAll('button')].every((press) => !press.disabled), null, wait)
  await tab.getByRole('button', { name: 'Sign in' }).focus()
  await tab.keyboard.press('Tab')
  assert.equal(await tab.evaluate(() => document.activeElement?.textContent), 'Read the notes')
  await tab.keyboard.press('Space')
  await tab.getByRole('article').first().waitFor(wait)
  const found = await tab.evaluate(() => ({
    lang: document.documentElement.lang,
    title: document.title !== '',
    main: document.querySelectorAll('main').length,
    log: document.querySelector('[role=log]')?.getAttribute('aria-labelledby'),
    headings: [...document.querySelectorAll('h1, h2, h3')].map((heading) => heading.tagName).join(' '),
    described: [...document.querySelectorAll('li button')].every((press) =>
      document.getElementById(press.getAttribute('aria-describedby'))?.textContent),
    small: [...document.querySelectorAll('button')].filter((press) => press.getBoundingClientRect().height < 44).length,
    ids: new Set([...document.querySelectorAll('[id]')].map(({ id }) => id)).size === document.querySelectorAll('[id]').length,
  }))
  const headings = 'H1 H2 H2 H2 H2 H3'
  assert.deepEqual(found, {
    lang: 'en', title: true, main: 1, log: 'results', headings, described: true, small: 0, ids: true,
  })
  const narrow = await open(`${api}/demo`, { viewport: { width: 320, height: 600 } })
  const overflow = await narrow.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth)
  assert.equal(overflow, false, 'no scrolling to the side at 320 pixels (WCAG 1.4.10)')
  await Promise.all([tab.close(), narrow.close()])
})

await test(`nonces ${nonce}: what is wrong is said in the page`, async () => {
  const tab = await open(`${api}/demo?api=${encodeURIComponent(`${api}/nothing`)}`)
  await tab.getByText('It does not work:').waitFor(wait)
  const forged = await open(`${api}/demo?code=x&state=forged&iss=${encodeURIComponent(issuer)}`)
  await forged.getByText('Not signed in.').waitFor(wait)
  await forged.evaluate(() => sessionStorage.setItem('pending', JSON.stringify({ api: location.origin, state: 'own' })))
  await forged.goto(`${api}/demo?code=x&state=forged&iss=${encodeURIComponent(issuer)}`)
  await forged.getByText('the response is not to the request of this page').waitFor(wait)
  await Promise.all([tab.close(), forged.close()])
})

await test(`nonces ${nonce}: no script failed, and the policy stopped nothing of the page itself`, () => assert.deepEqual(problems, []))

await browser.close()
finish()
