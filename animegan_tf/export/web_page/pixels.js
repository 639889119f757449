// Images as {width, height, data}: RGB levels, three numbers per pixel. As in Stylizer (Python).

const clamp = (value) => Math.min(255, Math.max(0, Math.round(value)));

export function fromRgba(rgba, width, height) {
  const data = new Uint8Array(3 * width * height);
  for (let from = 0, to = 0; to < data.length; from += 4, to += 3) {
    data[to] = rgba[from];
    data[to + 1] = rgba[from + 1];
    data[to + 2] = rgba[from + 2];
  }
  return { width, height, data };
}

export function toRgba({ width, height, data }) {
  const rgba = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    rgba[to] = data[from];
    rgba[to + 1] = data[from + 1];
    rgba[to + 2] = data[from + 2];
  }
  return rgba;
}

// The size at which a photo is drawn: its short side is `side` at most and `least` at least.
export function drawnSize(width, height, side, least, mostPixels) {
  const short = Math.min(width, height);
  let scale = Math.min(1, side / short);
  if (short < least)
    scale = Math.max(1, Math.min(least / short, Math.sqrt(mostPixels / (width * height))));
  return [width, height].map((n) => Math.max(1, Math.round(n * scale)));
}

// For each of `to` places, the first of `from` that it covers and their weights: means to shrink,
// straight lines between centres to enlarge.
function weights(from, to) {
  const step = from / to;
  return Array.from({ length: to }, (_, place) => {
    if (to >= from) {
      const centre = Math.min(from - 1, Math.max(0, (place + 0.5) * step - 0.5));
      const first = Math.min(Math.floor(centre), Math.max(0, from - 2));
      return [first, from === 1 ? [1] : [1 - (centre - first), centre - first]];
    }
    const start = place * step;
    const end = Math.min(from, start + step);
    const shares = [];
    for (let i = Math.floor(start); i < end; i++)
      shares.push((Math.min(end, i + 1) - Math.max(start, i)) / step);
    return [Math.floor(start), shares];
  });
}

// Row `y` of a resized image with `channels` numbers per pixel, as floats.
function resizedRow(image, channels, [top, shares], columns) {
  const stride = image.width * channels;
  const tall = new Float32Array(stride);
  shares.forEach((share, i) => {
    const start = (top + i) * stride;
    if (share) for (let x = 0; x < stride; x++) tall[x] += share * image.data[start + x];
  });
  const row = new Float32Array(columns.length * channels);
  columns.forEach(([left, parts], x) => {
    for (let i = 0; i < parts.length; i++)
      for (let c = 0; c < channels; c++)
        row[x * channels + c] += parts[i] * tall[(left + i) * channels + c];
  });
  return row;
}

export function resize(image, width, height) {
  if (image.width === width && image.height === height) return image;
  const columns = weights(image.width, width);
  const data = new Uint8Array(3 * width * height);
  weights(image.height, height).forEach((rows, y) => {
    data.set(resizedRow(image, 3, rows, columns).map(clamp), 3 * y * width);
  });
  return { width, height, data };
}

// Scale `image` to the mean brightness of `photo`, as the published code does.
export function matchBrightness(image, photo) {
  const mean = ({ data }) => {
    let sum = 0;
    for (let i = 0; i < data.length; i += 3)
      sum += 0.114 * data[i] + 0.587 * data[i + 1] + 0.299 * data[i + 2];
    return sum / (data.length / 3);
  };
  const own = mean(image);
  const scale = own ? mean(photo) / own : 1;
  return { ...image, data: image.data.map((level) => Math.min(255, Math.floor(level * scale))) };
}

// The means of the windows of 7x7 pixels around each pixel; windows end at the border.
function means(values, width, height, channels = 3, radius = 3) {
  const along = (from, count, step, lines, jump) => {
    const to = new Float32Array(from.length);
    for (let line = 0; line < lines; line++)
      for (let c = 0; c < channels; c++) {
        const start = line * jump + c;
        let sum = 0;
        for (let i = 0; i < Math.min(radius, count); i++) sum += from[start + i * step];
        for (let i = 0; i < count; i++) {
          if (i + radius < count) sum += from[start + (i + radius) * step];
          if (i - radius > 0) sum -= from[start + (i - radius - 1) * step];
          const wide = Math.min(count, i + radius + 1) - Math.max(0, i - radius);
          to[start + i * step] = sum / wide;
        }
      }
    return to;
  };
  const rows = along(values, width, channels, height, width * channels);
  return along(rows, height, width * channels, width, channels);
}

// `result`, drawn from `small`, at the size of `photo`: around each pixel each channel of the
// result is a linear function of the photo's (He and Sun, Fast Guided Filter, 2015), which keeps
// the photo's edges.
export function enlarge(photo, small, result) {
  const { width, height } = small;
  const blur = (values) => means(values, width, height);
  const guide = Float32Array.from(small.data);
  const target = Float32Array.from(result.data);
  const guideMean = blur(guide);
  const targetMean = blur(target);
  const squares = blur(guide.map((v) => v * v));
  const products = blur(guide.map((v, i) => v * target[i]));
  const slope = guide.map((_, i) =>
    (products[i] - guideMean[i] * targetMean[i]) /
    (squares[i] - guideMean[i] * guideMean[i] + 4e-4 * 255 * 255));
  const slopes = blur(slope);
  const rest = target.map((v, i) => v - slopes[i] * guide[i]);
  const columns = weights(width, photo.width);
  const data = new Uint8Array(photo.data.length);
  weights(height, photo.height).forEach((rows, y) => {
    const a = resizedRow({ width, data: slopes }, 3, rows, columns);
    const b = resizedRow({ width, data: rest }, 3, rows, columns);
    const start = 3 * y * photo.width;
    for (let x = 0; x < a.length; x++) data[start + x] = clamp(a[x] * photo.data[start + x] + b[x]);
  });
  return { width: photo.width, height: photo.height, data };
}
