// @ts-check
/** Debian's Chromium: two windows of the served page, its echo meter, and a page of another origin. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { HOW_TO_INSTALL, Inbox, load, within } from './helpers.js'
import { takePicture, WINDOW } from './picture.js'
import { withServers } from './server.js'

const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium'

const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Milliseconds for whatever happens in a page. */
const PATIENCE = 60_000
const LAUNCH = 120_000

/** @typedef {import('playwright-core').Page} Page */

/**
 * @param {import('./report.js').Report} report
 * @param {{ screenshot?: string | undefined }} options
 */
export async function run(report, { screenshot }) {
  const found = await load('playwright-core')
  if (!found) return report.skip('chromium', `playwright-core is ${HOW_TO_INSTALL}`)
  if (!existsSync(CHROMIUM)) return report.skip('chromium', `${CHROMIUM} is missing; apt-get install chromium`)
  const { chromium } = /** @type {import('playwright-core')} */ (found.module)

  /** @type {import('playwright-core').Browser} */
  let browser
  try {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS, timeout: LAUNCH })
  } catch (error) {
    return report.fail('chromium starts', String(error))
  }
  const title = `chromium ${browser.version()}`
  try {
    await withServers(report, title, async (serve, echo, title) => {
      await checkWindows(report, title, browser, serve, screenshot)
      await report.check(`${title}: a page of another origin is refused by /chat and /echo, not by echo`, () =>
        checkForeignPage(browser, serve, echo)
      )
    })
  } finally {
    await within(browser.close(), 'the end of chromium')
  }
}

/**
 * @param {import('./report.js').Report} report
 * @param {string} title
 * @param {import('playwright-core').Browser} browser
 * @param {import('./server.js').Server} serve
 * @param {string | undefined} screenshot
 */
async function checkWindows(report, title, browser, serve, screenshot) {
  /** @type {string[]} */
  const complaints = []
  /** @type {Page[]} */
  const pages = []
  /** @type {(name: string, body: (mia: Page, jonas: Page) => Promise<unknown>) => Promise<void>} */
  const check = (name, body) => report.check(`${title}, the page: ${name}`, () => body(pages[0], pages[1]))
  try {
    await check('opens in two windows and connects', async () => {
      for (const name of ['Mia', 'Jonas']) pages.push(await openPage(browser, serve.http('/'), name, complaints))
    })
    await check('counts 2 people in both windows', async () => {
      for (const page of pages) await page.locator('#people', { hasText: /^2 people here$/ }).waitFor()
    })
    await check('what one window says appears in the other, both ways', converse)
    if (screenshot !== undefined) await check(`its picture is in ${screenshot}`, () => takePicture(browser, pages, screenshot))
    await check('shows text as text, whatever is in it', async (mia, jonas) => {
      const text = '<img src=x onerror="throw 1"> & "東京" 🎉'
      await say(mia, text)
      await heard(jonas, 'Mia', text)
    })
    await check('the echo meter runs and stops', checkMeter)
    await check('one window closes, the other counts 1 person', async (mia, jonas) => {
      await jonas.context().close()
      await mia.locator('#people', { hasText: /^1 person here$/ }).waitFor()
    })
    await check('no errors, no messages in the console', async () => assert.deepEqual(complaints, []))
  } finally {
    for (const page of pages) await page.context().close()
  }
}

/**
 * A window with storage of its own.
 *
 * @param {import('playwright-core').Browser} browser
 * @param {string} url
 * @param {string} name
 * @param {string[]} complaints collects what goes wrong in it
 */
async function openPage(browser, url, name, complaints) {
  const context = await browser.newContext(WINDOW)
  context.setDefaultTimeout(PATIENCE)
  const page = await context.newPage()
  page.on('pageerror', error => complaints.push(`${name}: ${error}`))
  page.on('console', message => complaints.push(`${name}: ${message.type()}: ${message.text()}`))
  page.on('requestfailed', request => complaints.push(`${name}: ${request.url()} failed`))
  await page.goto(url)
  await page.locator('#chat-state[data-state="open"]').waitFor()
  await page.locator('#name').fill(name)
  return page
}

/**
 * @param {Page} mia
 * @param {Page} jonas
 */
async function converse(mia, jonas) {
  /** @type {[from: Page, to: Page, who: string, text: string][]} */
  const lines = [
    [mia, jonas, 'Mia', 'Hi Jonas, can you read this?'],
    [jonas, mia, 'Jonas', 'Loud and clear! That was quick.'],
    [mia, jonas, 'Mia', 'Lunch at twelve, in the garden?'],
    [jonas, mia, 'Jonas', 'Gladly! I’ll bring the tomatoes.'],
  ]
  for (const [from, to, who, text] of lines) {
    await say(from, text)
    await heard(to, who, text)
  }
  for (const [page, own] of /** @type {const} */ ([[mia, 'Mia'], [jonas, 'Jonas']])) {
    assert.deepEqual(await page.locator('.message .text').allTextContents(), lines.map(([, , , text]) => text))
    assert.deepEqual(await page.locator('.message.own .who').allTextContents(), [own, own])
  }
}

/**
 * @param {Page} page
 * @param {string} text
 */
async function say(page, text) {
  await page.locator('#chat-input').fill(text)
  await page.locator('#chat-send').click()
  await page.locator('.message.own').last().locator('.text').getByText(text, { exact: true }).waitFor()
}

/**
 * @param {Page} page
 * @param {string} who
 * @param {string} text
 */
async function heard(page, who, text) {
  const message = page.locator('.message:not(.own)').filter({ has: page.getByText(text, { exact: true }) })
  await message.waitFor()
  assert.equal(await message.locator('.who').textContent(), who)
}

/** @param {Page} page */
async function checkMeter(page) {
  const rate = page.locator('#echo-rate', { hasText: /^[\d,]*[1-9][\d,]*\/s$/ })
  const roundTrip = page.locator('#echo-rtt', { hasText: /^(< )?\d+(\.\d+)? ms$/ })
  await page.locator('#echo-toggle').click()
  await Promise.all([rate.waitFor(), roundTrip.waitFor()])
  await page.locator('#echo-note', { hasText: /^Running\./ }).waitFor()
  await page.locator('#echo-toggle').click()
  await page.locator('#echo-note', { hasText: /^Stopped\.$/ }).waitFor()
  await page.locator('#echo-toggle', { hasText: /^Start$/ }).waitFor()
}

/**
 * @param {import('playwright-core').Browser} browser
 * @param {import('./server.js').Server} serve
 * @param {import('./server.js').Server} echo
 */
async function checkForeignPage(browser, serve, echo) {
  const foreign = createServer((_, response) => {
    response.setHeader('content-type', 'text/html').end('<!doctype html><title>foreign</title><link rel="icon" href="data:,">')
  })
  await once(foreign.listen(0, '127.0.0.1'), 'listening')
  const context = await browser.newContext()
  try {
    const page = await context.newPage()
    /** @type {Inbox<string>} */
    const messages = new Inbox()
    page.on('console', message => messages.put(message.text()))
    const { port } = /** @type {import('node:net').AddressInfo} */ (foreign.address())
    await page.goto(`http://127.0.0.1:${port}/`)
    // The same page gets in where every page may: so it is the origin that the others refuse.
    assert.equal(await within(page.evaluate(attempt, echo.ws('/')), 'an answer of echo'), 'open')
    for (const path of ['/chat', '/echo']) {
      assert.equal(await within(page.evaluate(attempt, serve.ws(path)), `an answer of ${path}`), 'closed with 1006')
      assert.match(await messages.next('the reason in the console'), /Unexpected response code: 403/)
    }
  } finally {
    await context.close()
    foreign.closeAllConnections()
    foreign.close()
  }
}

/**
 * Runs in the page.
 *
 * @param {string} url
 * @returns {Promise<string>}
 */
function attempt(url) {
  return new Promise(resolve => {
    const socket = new WebSocket(url)
    socket.onopen = () => resolve('open')
    socket.onclose = ({ code }) => resolve(`closed with ${code}`)
  })
}
