import { fileURLToPath } from "node:url";
import tailwind from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { VitePWA } from "vite-plugin-pwa";
import { defineConfig } from "vitest/config";
import { compress } from "./compress.ts";

// Where `make run` has the page and, behind it, the API.
const system = process.env.TRELLIS_URL ?? "http://127.0.0.1:3000";

export default defineConfig({
  plugins: [
    react(),
    tailwind(),
    VitePWA({
      registerType: "prompt",
      injectRegister: false,
      includeAssets: ["icons/*"],
      manifest: {
        name: "Trellis",
        short_name: "Trellis",
        description: "Notes that are saved, found and shared.",
        start_url: "/notes",
        display: "standalone",
        background_color: "#fbfaf7",
        theme_color: "#2f6b4f",
        icons: [
          { src: "/icons/icon-192.png", sizes: "192x192", type: "image/png" },
          { src: "/icons/icon-512.png", sizes: "512x512", type: "image/png" },
          { src: "/icons/icon-512.png", sizes: "512x512", type: "image/png", purpose: "maskable" },
        ],
      },
      workbox: {
        navigateFallback: "/index.html",
        navigateFallbackDenylist: [/^\/v1\//, /^\/docs/, /^\/status/, /^\/\.well-known/, /^\/openapi\.json/],
        globPatterns: ["**/*.{js,css,html,svg,png,woff2}"],
        cleanupOutdatedCaches: true,
        inlineWorkboxRuntime: true,
        importScripts: ["/push.js"],
      },
    }),
    {
      // Nothing is painted before the script that knows the theme has run.
      name: "paint-in-theme",
      apply: "build",
      transformIndexHtml: {
        order: "post",
        handler: (html) => html.replace('<script type="module"', '<script type="module" blocking="render"'),
      },
    },
    compress(),
  ],
  html: { cspNonce: "__NONCE__" },
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    target: "es2023",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        codeSplitting: {
          // A request costs a first visit more than some bytes that it does not need: one file for each thing one does.
          groups: [
            { name: "base", test: /node_modules\/(react|react-dom|scheduler|i18next|react-i18next|wouter|get-nonce)\// },
            { name: "common", test: /src\/(pages|api\/|i18n\/index|ui\/(?!dialog|focus|menu|panel)|auth\/unverified|account\/preferences|palette\/commands)|lucide-react/ },
            { name: "auth", test: /src\/auth\// },
            { name: "radix", test: /node_modules\/(@?radix-ui|@floating-ui|react-remove-scroll)|src\/ui\// },
            { name: "workspace", test: /src\/(workspace\/(?!over\/)|live\/|replica\/)/ },
            { name: "pane", test: /src\/note\/(?!editor\/|preview|conflict|versions|compare|difference)/ },
          ],
        },
      },
    },
  },
  server: { port: 5173, proxy: { "/v1": { target: system, ws: true } } },
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"], setupFiles: ["src/test.ts"], testTimeout: 60_000 },
});
