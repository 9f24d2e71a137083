"""Encoders: the trunks that LinkNet and DeepLab are built on."""

from collections.abc import Callable

from rtseg.networks.encoders.encoder import Encoder
from rtseg.networks.encoders.mobilenet_v2 import MobileNetV2
from rtseg.networks.encoders.mobilenet_v3 import MobileNetV3Large
from rtseg.networks.encoders.resnet import resnet18, resnet34, resnet50, resnet101
from rtseg.networks.encoders.vgg import vgg16, vgg16_bn
from rtseg.networks.encoders.xception import Xception65
from rtseg.registry import Registry

ENCODERS: Registry[Callable[[int], Encoder]] = Registry("encoder")
"""Functions from the output stride (8, 16 or 32) to an encoder, by name."""
ENCODERS.add("resnet18", resnet18)
ENCODERS.add("resnet34", resnet34)
ENCODERS.add("resnet50", resnet50)
ENCODERS.add("resnet101", resnet101)
ENCODERS.add("mobilenet-v2", MobileNetV2)
ENCODERS.add("mobilenet-v3", MobileNetV3Large)
ENCODERS.add("vgg16", vgg16)
ENCODERS.add("vgg16-bn", vgg16_bn)
ENCODERS.add("xception65", Xception65)

__all__ = ["ENCODERS", "Encoder"]
