"""The SavedModel in TensorFlow.js, where ANIMEGAN_TF_TFJS names its converter (docs/export.md)."""

import json
import os
import shutil
import subprocess

import numpy as np
import pytest
from pictures import ramps

from animegan_tf import images
from animegan_tf.export import check

# Reads the model and a photo from files, writes the output.
_SCRIPT = """
const fs = require("fs"), tf = require("@tensorflow/tfjs");
const read = name => fs.readFileSync("web/" + name);
const {modelTopology, format, weightsManifest, signature} = JSON.parse(read("model.json"));
const parts = weightsManifest.flatMap(group => group.paths).map(read);
const weightData = new Uint8Array(Buffer.concat(parts)).buffer;
const weightSpecs = weightsManifest.flatMap(group => group.weights);
const load = async () => ({modelTopology, format, signature, weightSpecs, weightData});
tf.loadGraphModel({load}).then(async model => {
  const {shape, values} = JSON.parse(fs.readFileSync("photo.json"));
  const output = await model.executeAsync(tf.tensor(values, shape));
  fs.writeFileSync("output.json", JSON.stringify(Array.from(output.dataSync())));
});
"""


@pytest.mark.slow
def test_any_size_in_node(toy, toy_saved_model, tmp_path):
    converter, npm = os.environ.get("ANIMEGAN_TF_TFJS"), shutil.which("npm")
    if not converter or not npm:
        pytest.skip("ANIMEGAN_TF_TFJS does not name a tensorflowjs_converter, or npm is missing")

    def run(*command):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]

    run(npm, "install", "--silent", "--no-audit", "@tensorflow/tfjs@4.22.0")
    kind = ("--input_format=tf_saved_model", "--signature_name=raw")
    run(converter, *kind, str(toy_saved_model[0] / "1"), "web")
    (tmp_path / "run.js").write_text(_SCRIPT)
    for size in ((64, 80), (72, 48)):
        batch = images.to_network(ramps(*size))[None]
        photo = {"shape": batch.shape, "values": batch.ravel().tolist()}
        (tmp_path / "photo.json").write_text(json.dumps(photo))
        run("node", "run.js")
        output = np.float32(json.loads((tmp_path / "output.json").read_text()))
        assert check.psnr(output.reshape(batch.shape), toy(batch).numpy()) > 100
