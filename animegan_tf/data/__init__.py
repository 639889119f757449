"""Training data: folders of pictures, edge smoothing, the endless batch pipeline.

On-disk layout (`config.DataConfig` names the folders):

    <data_dir>/train_photo      photos
    <data_dir>/<style>/style    anime frames
    <data_dir>/<style>/smooth   the same frames with smoothed edges (made when missing)
    <data_dir>/val              photos for the sample grids (optional)

Only `pipeline` needs TensorFlow; `config`, `files`, `smoothing`, `check` and `synthetic` do not.
"""
