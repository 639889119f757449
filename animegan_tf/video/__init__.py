"""Reading and writing videos, without networks: frames, times, tracks.

`reader` yields the frames of a video with `container` (the open file), `seek`, `frame` (a decoded
frame) and `tonemap` (HDR to SDR). `source` reads the videos to stylise; `encoder` and `writer`
write the outputs, and `tracks` copies sound and subtitles, each as a `track`. `animation` and
`webp` handle GIF and WebP, `faststart` the index of MP4, `filters` FFmpeg's filters. `shots` finds
cuts, `timecode` formats times, `codecs` lists the output formats.

Frames are uint8 RGB (H, W, 3); times are `fractions.Fraction` seconds.
"""
