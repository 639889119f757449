"""Training data: folders of pictures, films, shards, edge smoothing, the endless batch pipeline.

On-disk layout (`config.DataConfig` names the folders):

    <data_dir>/train_photo      photos
    <data_dir>/<style>/style    anime frames
    <data_dir>/<style>/smooth   the same frames with smoothed edges (made when missing)
    <data_dir>/val              photos for the sample grids (optional)

Frames may also come from films (`film_frames`), everything from TFRecord shards (`tfrecords`);
`sources` opens either. Only `pipeline`, and `tfrecord_writer` when it writes, need TensorFlow.
"""
