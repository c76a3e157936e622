// Headless Chromium on a page of 127.0.0.1, so that its sockets carry an Origin.
import http from 'node:http'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { chromium } from 'playwright-core'
import { atEnd, DEADLINE_MS } from './weir.mjs'

const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']

/** A browser with a profile of its own, at an empty page. */
export async function openBrowser(t, { args = [], ...options } = {}) {
  const profile = mkdtempSync(path.join(tmpdir(), 'weir-chromium-'))
  const context = await chromium.launchPersistentContext(profile, { executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, args: [...flags, ...args], timeout: DEADLINE_MS, ...options })
  context.setDefaultTimeout(DEADLINE_MS)
  atEnd(t, async () => {
    await context.close()
    rmSync(profile, { recursive: true, force: true })
  })
  return context.pages()[0] ?? (await context.newPage())
}

/** A page; `evaluate` runs in it. The origin is http://<host>:<some port>. */
export async function browserPage(t, host = '127.0.0.1') {
  const pages = http.createServer((request, response) => {
    response.writeHead(request.url === '/' ? 200 : 404, { 'content-type': 'text/html' })
    response.end('<!doctype html><title>a page</title>')
  })
  await new Promise((resolve) => pages.listen(0, '127.0.0.1', resolve))
  atEnd(t, async () => {
    pages.closeAllConnections()
    pages.close()
  })
  const page = await openBrowser(t, { args: host === '127.0.0.1' ? [] : [`--host-resolver-rules=MAP ${host} 127.0.0.1`] })
  await page.goto(`http://${host}:${pages.address().port}/`)
  return page
}
