"""Why an export did not happen."""

from droneseg.errors import DroneSegError


class ExportError(DroneSegError):
    """The trained folder or the command cannot be exported as asked."""

    code = "export_error"


class UnsupportedModel(ExportError):
    """The model uses a part of nnU-Net that the runtime cannot match yet; the message names it."""

    code = "unsupported_model"


class UntrustedCheckpoint(ExportError):
    """The checkpoint holds objects whose loading could run code."""

    code = "untrusted_checkpoint"


class UntrustedPlans(ExportError):
    """The plans name code from outside of PyTorch and nnU-Net's architectures, which would run."""

    code = "untrusted_plans"


class ProofFailed(ExportError):
    """The exported model does not agree with nnU-Net's predictor; the message says where."""

    code = "proof_failed"
