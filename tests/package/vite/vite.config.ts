// The usual way to build a service worker with Vite: a second entry, whose file name stays the same.
import { defineConfig } from 'vite';

export default defineConfig({
  build: {
    rollupOptions: {
      input: { index: 'index.html', sw: 'sw.ts' },
      output: { entryFileNames: (chunk) => (chunk.name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js') },
    },
  },
});
