"""Films in and out, without networks: times, frames, tracks.

`reader` has the frames of a film by `container` (the open file), `seek` and `frame` (one decoded
frame, its colours and orientation), and `tonemap` makes SDR of HDR; `source` reads the films to
stylise, `encoder` and `writer` write the results, `tracks` takes over sound and subtitles, each a
`track`. `animation` and `webp` are for GIF and WebP, `faststart` for the index of MP4, `shots`
finds cuts, `timecode` names times, `codecs` says what can be written.

Frames are uint8 RGB (H, W, 3); times are `fractions.Fraction` seconds.
"""
