"""Generators, discriminators and encoders, of images in [-1, 1]. Discriminators return logits, no probabilities."""

from sgan_lib.models.bidirectional import Encoder, EncoderOutput, JointDiscriminator, ReLUGenerator
from sgan_lib.models.convolutional import ConvDiscriminator, DCGANGenerator, PooledDiscriminator, TransposedGenerator
from sgan_lib.models.dense import MLPDiscriminator, MLPGenerator
from sgan_lib.models.fast import Noise, UpsampledConv
from sgan_lib.models.layers import (
    NORMAL,
    SYMMETRIC,
    UNIFORM,
    DiscriminatorOutput,
    Generator,
    Latents,
    Networks,
    RealHead,
    Shape,
    Tanh,
    initialise_from_data,
    initialise_normal,
    normalised,
    squash_in_float32,
)
from sgan_lib.models.stored import ASSETS, load_weights

__all__ = [
    "ASSETS", "NORMAL", "SYMMETRIC", "UNIFORM", "ConvDiscriminator", "DCGANGenerator", "DiscriminatorOutput", "Encoder",
    "EncoderOutput", "Generator", "JointDiscriminator", "Latents", "MLPDiscriminator", "MLPGenerator", "Networks",
    "Noise", "PooledDiscriminator", "ReLUGenerator", "RealHead", "Shape", "Tanh", "TransposedGenerator",
    "UpsampledConv", "initialise_from_data", "initialise_normal", "load_weights", "normalised", "squash_in_float32",
]  # fmt: skip
