// Report pages in a real browser: axe's accessibility rules, overflow, and pictures to look at; see lab/pages.sh.
//
//   node pages.mjs OUT PAGE.html…
//
// Each page at 360 and 1400 CSS pixels, light and dark. Exit code 1 if a rule is broken or a page is wider than the screen.
import { createRequire } from 'node:module';
import { mkdirSync, readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';

const require = createRequire(resolve(process.env.PAGES_MODULES, 'x.js'));
const puppeteer = require('puppeteer-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const [out, ...pages] = process.argv.slice(2);
mkdirSync(out, { recursive: true });
const browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox'] });
let broken = 0;
for (const path of pages) {
  for (const width of [360, 1400]) {
    for (const scheme of ['light', 'dark']) {
      const page = await browser.newPage();
      const fetched = [];
      page.on('request', (one) => { if (!/^(file|data):/.test(one.url())) fetched.push(one.url()); });
      await page.setBypassCSP(true);
      await page.setViewport({ width, height: 900, isMobile: width < 600, hasTouch: width < 600, deviceScaleFactor: width < 600 ? 2 : 1 });
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      await page.goto('file://' + resolve(path), { waitUntil: 'load' });
      await page.evaluate(() => document.querySelectorAll('details').forEach((one) => { one.open = true; }));
      await page.evaluate(axe);
      const told = await page.evaluate(() => axe.run(document, {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      }));
      const wide = await page.evaluate(() => {
        const limit = document.documentElement.clientWidth;
        const inside = (one) => { for (let at = one.parentElement; at; at = at.parentElement) if (getComputedStyle(at).overflowX !== 'visible') return true; return false; };
        const found = [...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > limit + 1 && !one.closest('svg') && !inside(one));
        return { page: document.documentElement.scrollWidth, limit, parts: found.slice(0, 5).map((one) => one.tagName + '.' + one.className + ' ' + one.textContent.trim().slice(0, 40)) };
      });
      const name = `${basename(path, '.html')}-${width}-${scheme}`;
      await page.screenshot({ path: `${out}/${name}.png`, fullPage: true });
      const bad = told.violations.length + fetched.length + (wide.page > wide.limit ? 1 : 0);
      broken += bad;
      console.log(`${name}: ${told.passes.length} rules hold, ${told.violations.length} broken, page ${wide.page} of ${wide.limit} px wide`);
      for (const one of told.violations) {
        console.log(`  ${one.id} (${one.impact}): ${one.help}`);
        for (const node of one.nodes.slice(0, 3)) console.log(`    ${node.html.slice(0, 160)}\n      ${node.failureSummary.replace(/\s+/g, ' ').slice(0, 240)}`);
      }
      for (const one of fetched) console.log(`  fetched from the network: ${one}`);
      if (wide.page > wide.limit) console.log('  wider than the screen:', wide.parts.join(' | '));
      await page.close();
    }
  }
}
await browser.close();
process.exit(broken ? 1 : 0);
