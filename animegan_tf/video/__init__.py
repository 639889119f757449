"""Films in, the same films in anime style out, with their sound.

`stylize_video` does one file; `animegan_tf.stylizer.stylize_paths` calls it for films among photos.
The way of a frame: `source` (decoded, upright) → `frames` (what the network sees, the result) by
the threads of `pipeline` → `encoder` → `writer` (with what `copies` takes over from the source).
`journal` is what an interrupted film goes on from, `animation` writes GIF and WebP, `camera` is
for what has no end.

Conventions: pictures are uint8 RGB (H, W, 3); times are `fractions.Fraction` seconds; a result's
time 0 is its first frame with `start`, otherwise the source's.
"""
