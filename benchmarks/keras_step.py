"""The pretraining step of `benchmarks.pretrain` in Keras 3 on TensorFlow, for comparison.

TensorFlow does not live beside this project's PyTorch, so it gets an environment of its own:

    python3 -m venv keras && keras/bin/pip install tensorflow-cpu && keras/bin/python benchmarks/keras_step.py [--batch 512]

The study's encoder and projection head, a horizontal flip for each view, NT-Xent, Adam, one compiled graph. Prints one JSON
object; images per second are images before views, as in `benchmarks.pretrain`.
"""

import argparse
import json
import time

import keras
import numpy as np
import tensorflow as tf

TEMPERATURE = 0.1
WARM_UP_STEPS = 2


def study_network(size_px: int) -> keras.Model:
    layers: list[keras.Layer] = [keras.Input((size_px, size_px, 1))]
    for filters in (16, 32, 64):
        layers += [keras.layers.Conv2D(filters, 3, padding="same", activation="relu") for _ in range(2)]
        layers.append(keras.layers.MaxPooling2D())
    layers.append(keras.layers.Flatten())
    layers += [keras.layers.Dense(256, activation="relu") for _ in range(3)]
    layers += [keras.layers.Dense(units, activation="relu") for units in (256, 128)]
    layers.append(keras.layers.Dense(64))
    return keras.Sequential(layers)


def nt_xent(z0: tf.Tensor, z1: tf.Tensor) -> tf.Tensor:
    z = tf.math.l2_normalize(tf.concat([z0, z1], axis=0), axis=1)
    count = tf.shape(z0)[0]
    similarity = tf.matmul(z, z, transpose_b=True) / TEMPERATURE
    similarity = tf.linalg.set_diag(similarity, tf.fill([2 * count], -1e9))
    partner = tf.roll(tf.range(2 * count), count, axis=0)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(partner, similarity))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--xla", action="store_true", help="compile the step with XLA")
    arguments = parser.parse_args()

    network = study_network(arguments.size)
    optimizer = keras.optimizers.Adam(1e-3)
    flip = keras.layers.RandomFlip("horizontal")
    pixels = tf.constant(
        np.random.default_rng(0).integers(0, 256, (arguments.batch, arguments.size, arguments.size, 1), dtype=np.uint8)
    )

    @tf.function(jit_compile=arguments.xla)  # type: ignore[untyped-decorator]  # TensorFlow is not installed here
    def step() -> tf.Tensor:
        images = tf.cast(pixels, tf.float32) / 255
        with tf.GradientTape() as tape:
            z0 = network(flip(images, training=True), training=True)
            z1 = network(flip(images, training=True), training=True)
            loss = nt_xent(z0, z1)
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        return loss

    for _ in range(WARM_UP_STEPS):
        step().numpy()
    began = time.perf_counter()
    for _ in range(arguments.steps):
        step().numpy()
    seconds = time.perf_counter() - began
    print(
        json.dumps(
            {
                "size": arguments.size,
                "batch": arguments.batch,
                "xla": arguments.xla,
                "images_per_second": arguments.batch * arguments.steps / seconds,
                "keras": keras.__version__,
                "tensorflow": tf.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
