"""Architectures as plans.json describes them."""

from typing import Any

UNETS = "dynamic_network_architectures.architectures.unet."
BATCH_NORM = {
    "norm_op": "torch.nn.modules.batchnorm.BatchNorm2d",
    "nonlin": "torch.nn.ReLU",
    "nonlin_kwargs": {"inplace": True},
}
RESENC_BLOCKS = [1, 3, 4, 6, 6, 6, 6, 6]
DROPOUT = {"dropout_op": "torch.nn.modules.dropout.Dropout2d", "dropout_op_kwargs": {"p": 0.2}}


def architecture(kind: str, features: tuple[int, ...]) -> dict[str, Any]:
    """The `architecture` of a configuration.

    Args:
        kind: a class of dynamic_network_architectures' U-Nets, with a variation after a blank:
            `BatchNorm` and ReLU with dropout, `anisotropic` kernels and strides, or the `preset`
            blocks of nnU-Net's ResEnc planners.
        features: of each stage.
    """
    class_name, _, variation = kind.partition(" ")
    stages = len(features)
    kernel, stride = ([5, 3], [2, 1]) if variation == "anisotropic" else ([3, 3], [2, 2])
    encoder = "n_conv_per_stage" if class_name == "PlainConvUNet" else "n_blocks_per_stage"
    return {
        "network_class_name": UNETS + class_name,
        "arch_kwargs": {
            "n_stages": stages,
            "features_per_stage": list(features),
            "conv_op": "torch.nn.modules.conv.Conv2d",
            "kernel_sizes": [kernel] * stages,
            "strides": [[1, 1], *[stride] * (stages - 1)],
            encoder: RESENC_BLOCKS[:stages] if variation == "preset" else [2] * stages,
            "n_conv_per_stage_decoder": [1 if variation == "preset" else 2] * (stages - 1),
            "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
            "norm_op_kwargs": {"eps": 1e-05, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
            **(BATCH_NORM | DROPOUT if variation == "BatchNorm" else {}),
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }
