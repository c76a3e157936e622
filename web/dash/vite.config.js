import { readFileSync } from 'node:fs'
import { defineConfig } from 'vite'

// Everything lands under /@page/ as files of its own: the policy of the page allows no inline script or style, so nothing is inlined.
// `npm run dev` serves the page itself and hands its requests to a weir on port 8080.
const weir = process.env.WEIR ?? 'http://127.0.0.1:8080'

// uPlot's licence asks to be where its code is.
const licence = {
  name: 'licence',
  generateBundle() {
    this.emitFile({ type: 'asset', fileName: 'uplot-licence.txt', source: readFileSync('node_modules/uplot/LICENSE', 'utf8') })
  },
}

export default defineConfig({
  base: '/@page/',
  plugins: [licence],
  build: {
    target: 'es2022',
    assetsDir: '',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    reportCompressedSize: false,
  },
  server: {
    proxy: {
      '/@console': { target: weir, ws: true },
      '/@dashboards': weir,
      '/@widgets': weir,
      '/healthz': weir,
    },
  },
})
