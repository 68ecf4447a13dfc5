/// <reference types="vitest/config" />
import react from "@vitejs/plugin-react";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

// `npm run dev` serves the screens with hot reload and passes /api on to a running backend.
const backend = process.env["STOWAGE_HTTP_URL"] ?? "http://127.0.0.1:8800";

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  server: { host: "127.0.0.1", proxy: { "/api": { target: backend, ws: true } } },
  build: { target: "es2022", reportCompressedSize: false, chunkSizeWarningLimit: 1100 },
  test: { environment: "happy-dom", include: ["tests/**/*.test.{ts,tsx}"], setupFiles: ["tests/setup.ts"], testTimeout: 60_000 },
});
