import { defineConfig } from "vite";

export default defineConfig({
  base: "/explorer/",
  build: {
    target: "es2022",
    // Monaco is one library of 2.5 MB; splitting it would only add requests.
    chunkSizeWarningLimit: 4000,
    rolldownOptions: {
      // "use client" concerns frameworks that render on a server.
      checks: { moduleLevelDirective: false },
    },
  },
  server: {
    proxy: { "/graphql": { target: "http://127.0.0.1:8000", ws: true } },
  },
});
