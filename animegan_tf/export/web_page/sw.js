// Keeps the page's files, so that it works offline, and isolates it, so that it may use threads.
const CACHE = `anime ${registration.scope}`;
const SHELL = ["./", "app.js", "worker.js", "pixels.js", "style.css", "icon.svg", "site.json",
  "manifest.webmanifest"];

addEventListener("install", (event) => {
  skipWaiting();
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(SHELL)));
});
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  if (event.request.method === "GET" && event.request.url.startsWith("http"))
    event.respondWith(answer(event.request));
});

// The model and the runtime never change under one address; the small files are asked for again.
async function answer(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request, { ignoreSearch: request.mode === "navigate" });
  if (kept && /\.(onnx|wasm|mjs)$/.test(new URL(request.url).pathname)) return isolated(kept);
  try {
    const fresh = await fetch(request);
    if (fresh.ok) await cache.put(request, fresh.clone()).catch(() => {}); // no room: online only
    return isolated(fresh);
  } catch (error) {
    if (kept) return isolated(kept);
    throw error;
  }
}

function isolated(response) {
  if (response.type === "opaque" || !response.status) return response;
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "cross-origin");
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}
