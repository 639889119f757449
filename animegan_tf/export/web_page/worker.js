// Loads the runtime and the model, and draws photos, away from the page's thread.
import { drawnSize, enlarge, fromRgba, matchBrightness, resize, toRgba } from "./pixels.js";

const say = (text, share) => postMessage({ say: text, share });
let ready;

onmessage = async ({ data }) => {
  try {
    if (data.site) await (ready = load(data.site));
    else await draw(data);
  } catch (error) {
    postMessage({ id: data.id, error: sentence(error) });
  }
};

function sentence(error) {
  if (/alloc|memory/i.test(error)) return "There is not enough memory: choose bolder lines.";
  if (error instanceof TypeError) return "A file of the page is missing: check the connection.";
  return `The drawing failed: ${error.message ?? error}`;
}

// The bytes of a file that must have a checksum; `done` receives the number of bytes so far.
async function fetched({ url, integrity }, signal, done) {
  const response = await fetch(url, { integrity, signal });
  if (!response.ok) throw new TypeError(url);
  const parts = [];
  let bytes = 0;
  for (let reader = response.body.getReader(); ;) {
    const { value, done: ended } = await reader.read();
    if (ended) return new Blob(parts);
    parts.push(value);
    done((bytes += value.length));
  }
}

async function load(site) {
  const files = [site.runtime.script, site.runtime.wasm, site.model];
  const total = files.reduce((sum, file) => sum + file.bytes, 0);
  const got = [0, 0, 0], stop = new AbortController();
  const loading = files.map((file, i) => fetched(file, stop.signal, (bytes) => {
    got[i] = bytes;
    if (!stop.signal.aborted) say("Loading the style …", (got[0] + got[1] + got[2]) / total);
  }));
  // The progress of other files must not replace the error of one.
  const [script, wasm, model] = await Promise.all(loading).catch((error) => {
    stop.abort();
    throw error;
  });
  const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const ort = await import(address);
  ort.env.wasm.wasmBinary = await wasm.arrayBuffer();
  ort.env.wasm.numThreads = crossOriginIsolated ? Math.min(8, navigator.hardwareConcurrency) : 1;
  const session = await ort.InferenceSession.create(new Uint8Array(await model.arrayBuffer()));
  postMessage({ ready: true, threads: ort.env.wasm.numThreads });
  return { site, session, Tensor: ort.Tensor };
}

async function draw({ id, rgba, width, height, side }) {
  const { site, session, Tensor } = await ready;
  const photo = fromRgba(rgba, width, height);
  const [w, h] = drawnSize(width, height, side, site.least_side, site.most_pixels);
  if (Math.min(w, h) < 16) throw new Error("the photo is too narrow.");
  say(`Drawing at ${w} × ${h} …`);
  const input = resize(photo, w, h);
  const images = new Tensor("uint8", input.data, [1, h, w, 3]);
  const { stylized } = await session.run({ images });
  let result = { width: w, height: h, data: stylized.data };
  if (w < width) say(`Scaling up to ${width} × ${height} …`);
  else result = resize(result, width, height);
  if (site.match_brightness) result = matchBrightness(result, photo);
  if (w < width) result = enlarge(photo, input, result);
  const made = toRgba(result);
  postMessage({ id, rgba: made, width, height }, [made.buffer]);
}
