"""Run by test_distribution: `animegan_tf.train` with toy networks, as one process of several."""

import sys

from toys import toy_features, toy_generator

from animegan_tf import networks
from animegan_tf.networks import weights
from animegan_tf.train import __main__ as train


def main():
    vars(networks)["build_feature_extractor"] = toy_features
    vars(networks)["build_generator"] = toy_generator
    weights._PARAMETERS[128] = "lite"
    train.console()


if __name__ == "__main__":
    sys.argv[0] = "train"
    main()
