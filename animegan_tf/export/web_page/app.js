const $ = (id) => document.getElementById(id);
// Safari's canvases hold no more.
const MOST_PIXELS = 16e6;
let worker, photo, started, last = 0;

// --- starting ---

async function start() {
  const response = await fetch("site.json").catch(() => null);
  if (!response?.ok)
    return fail("The page must come from a web server: its folder has no site.json, or was opened as a file.");
  const site = await response.json();
  document.title = `${site.name} · Anime style`;
  $("credit").textContent = `Style: ${site.name} (${site.about}). Licence: ${site.license}.`;
  $("camera").hidden = !navigator.mediaDevices?.getUserMedia;
  const coarse = matchMedia("(pointer: coarse)").matches;
  document.querySelector(`[name=side][value="${coarse ? 400 : 540}"]`).checked = true;
  if (await isolate()) return;
  worker = new Worker("worker.js", { type: "module" });
  worker.onmessage = ({ data }) => receive(data);
  worker.onerror = () => fail("The page could not start its worker: this browser is too old.");
  worker.postMessage({ site });
  if (photo) draw();
}

// Register the service worker. Its first answer to this page lets it use threads: load it again.
async function isolate() {
  if (!navigator.serviceWorker) return false;
  try {
    await navigator.serviceWorker.register("sw.js");
    await navigator.serviceWorker.ready;
  } catch {
    return false; // private windows: no offline use, one thread
  }
  if (crossOriginIsolated || photo || sessionStorage.reloaded) return false;
  sessionStorage.reloaded = true;
  location.reload();
  return true;
}

// --- words ---

function say(text, share) {
  $("status").className = "";
  $("status").textContent = text;
  $("progress").hidden = false;
  $("progress").className = share === undefined ? "busy" : "";
  $("bar").style.width = share === undefined ? "" : `${Math.min(100, 100 * share)}%`;
}

function rest(text) {
  say(text);
  $("progress").hidden = true;
}

function fail(text) {
  rest(text);
  $("status").className = "error";
}

function receive(data) {
  if (data.say) return say(data.say, data.share);
  if (data.ready) {
    document.body.dataset.threads = data.threads;
    return photo || rest("Ready.");
  }
  if (data.id !== undefined && data.id !== last) return; // of another photo or size
  if (data.error) return fail(data.error);
  const { width, height } = data;
  Object.assign($("after"), { width, height });
  $("after").getContext("2d").putImageData(new ImageData(data.rgba, width, height), 0, 0);
  $("compare").className = "";
  $("download").disabled = false;
  rest(`Done in ${((performance.now() - started) / 1000).toFixed(1)} seconds.`);
}

// --- photos ---

async function open(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return fail(`${file.name ?? "The file"} is no photo that this browser can open. Choose a JPEG, PNG or WebP file.`);
  }
  show(bitmap, bitmap.width, bitmap.height, file.name ?? "photo.jpg");
}

function show(source, sourceWidth, sourceHeight, name) {
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (sourceWidth * sourceHeight)));
  const width = Math.max(1, Math.round(sourceWidth * scale));
  const height = Math.max(1, Math.round(sourceHeight * scale));
  const canvas = Object.assign($("before"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff"; // under transparent photos
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, width, height);
  photo = { name, width, height, context };
  $("start").hidden = true;
  $("result").hidden = $("tools").hidden = false;
  draw();
}

function draw() {
  last += 1;
  started = performance.now();
  $("compare").className = "waiting";
  $("download").disabled = true;
  if (!worker) return say("Loading …");
  say("Waiting …");
  const { width, height, context } = photo;
  const rgba = context.getImageData(0, 0, width, height).data;
  const side = Number(document.querySelector("[name=side]:checked").value);
  worker.postMessage({ id: last, rgba, width, height, side }, [rgba.buffer]);
}

function download() {
  const png = /\.png$/i.test(photo.name);
  $("after").toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${photo.name.replace(/\.[^.]*$/, "")}_anime.${png ? "png" : "jpg"}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }, png ? "image/png" : "image/jpeg", 0.95);
}

// --- camera ---

async function openCamera() {
  try {
    const video = { facingMode: "user", width: { ideal: 1920 }, height: { ideal: 1080 } };
    $("video").srcObject = await navigator.mediaDevices.getUserMedia({ video });
    $("studio").showModal();
  } catch {
    fail("The camera cannot be used: allow it for this page, or choose a photo.");
  }
}

function snap() {
  const { videoWidth, videoHeight } = $("video");
  if (videoWidth) show($("video"), videoWidth, videoHeight, "camera.jpg");
  $("studio").close();
}

function closeCamera() {
  for (const track of $("video").srcObject?.getTracks() ?? []) track.stop();
  $("video").srcObject = null;
}

// --- events ---

const imageOf = (transfer) => [...transfer.files].find((file) => file.type.startsWith("image/")) ?? transfer.files[0];
const choose = () => $("file").click();
const on = (id, event, action) => $(id).addEventListener(event, action);
on("choose", "click", choose);
on("another", "click", choose);
on("file", "change", () => {
  if ($("file").files.length) open($("file").files[0]);
  $("file").value = ""; // the same file may be chosen again
});
on("camera", "click", openCamera);
on("snap", "click", snap);
on("cancel", "click", () => $("studio").close());
on("studio", "close", closeCamera);
on("download", "click", download);
on("slider", "input", () => $("compare").style.setProperty("--at", `${$("slider").value}%`));
for (const input of document.querySelectorAll("[name=side]")) input.addEventListener("change", draw);
addEventListener("paste", (event) => event.clipboardData.files.length && open(imageOf(event.clipboardData)));
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("over");
});
addEventListener("dragleave", () => document.body.classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  if (event.dataTransfer.files.length) open(imageOf(event.dataTransfer));
});
start();
