// @ts-check
/** The picture for the documentation: the two windows next to each other. */
import { writeFile } from 'node:fs/promises'
import { within } from './helpers.js'

/** Narrow windows, enlarged: the text stays readable where the picture is shown small. */
export const WINDOW = {
  viewport: { width: 640, height: 800 },
  deviceScaleFactor: 1.15,
  colorScheme: /** @type {const} */ ('light'),
  locale: 'en-GB',
}

/** CSS pixels of a window that are shown below the chat, less than the gap to what comes next. */
const BELOW = 16

/**
 * @param {import('playwright-core').Browser} browser
 * @param {import('playwright-core').Page[]} windows
 * @param {string} file
 */
export async function takePicture(browser, windows, file) {
  const images = []
  for (const page of windows) images.push((await chatOf(page)).toString('base64'))
  const context = await browser.newContext({ viewport: { width: 1600, height: 900 } })
  try {
    const page = await context.newPage()
    await page.setContent(sideBySide(images))
    await page.evaluate(() => Promise.all(Array.from(document.images, image => image.decode())))
    await within(writeFile(file, await page.locator('body').screenshot()), `writing ${file}`)
  } finally {
    await context.close()
  }
}

/**
 * The window down to the end of the chat.
 *
 * @param {import('playwright-core').Page} page
 */
async function chatOf(page) {
  await page.locator('#chat-input').blur()
  const panel = await page.locator('section', { has: page.locator('#chat-form') }).boundingBox()
  if (panel === null) throw new Error('the chat is not shown')
  const height = Math.round(panel.y + panel.height) + BELOW
  return page.screenshot({ animations: 'disabled', clip: { x: 0, y: 0, width: WINDOW.viewport.width, height } })
}

/** @param {string[]} images PNG in base64 */
function sideBySide(images) {
  const width = WINDOW.viewport.width * WINDOW.deviceScaleFactor
  const frames = images.map(image => `<figure><div><i></i><i></i><i></i></div><img width="${width}" src="data:image/png;base64,${image}"></figure>`)
  return `<!doctype html><style>
    body { margin: 0; width: max-content; padding: 24px; display: flex; gap: 28px; background: #c9d8d4 }
    figure { margin: 0; border-radius: 12px; overflow: hidden; box-shadow: 0 0 0 1px #14282822, 0 10px 28px #14282833 }
    div { display: flex; gap: 9px; padding: 11px 16px; background: #e4eae8; border-bottom: 1px solid #d0d9d6 }
    i { width: 13px; height: 13px; border-radius: 50%; background: #b3c0bc }
    img { display: block }
  </style>${frames.join('')}`
}
