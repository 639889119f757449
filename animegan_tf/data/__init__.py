"""Training data: image folders, videos, TFRecord shards, edge smoothing, the batch pipeline.

On-disk layout (`config.DataConfig` names the folders):

    <data_dir>/train_photo      photos
    <data_dir>/<style>/style    anime frames
    <data_dir>/<style>/smooth   the same frames with smoothed edges (created if missing)
    <data_dir>/val              photos for the sample grids (optional)

Frames can also be read from videos (`video_frames`), and all images from TFRecord shards
(`tfrecords`); `sources` opens all of them. Only `pipeline` and `tfrecord_writer.write` need
TensorFlow.
"""
