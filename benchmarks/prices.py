"""What images cost: Cloud Run's list prices, and the arithmetic."""

from dataclasses import dataclass

# https://cloud.google.com/run/pricing, us-central1, instance-based billing, US dollars, without
# free tier and discounts, as they were in this month.
DATED = "2026-08"
SOURCE = "cloud.google.com/run/pricing, us-central1, instance-based billing"
VCPU_S = 0.000018
GIB_S = 0.000002
# Without zonal redundancy.
L4_S = 0.0001867
IMAGES = 1000


@dataclass(frozen=True)
class Instance:
    """A Cloud Run instance.

    Attributes:
        memory_gib: as configured; a GPU wants at least 4 vCPU and 16 GiB.
    """

    name: str
    vcpus: int
    memory_gib: int
    gpus: int = 0

    @property
    def dollars_a_second(self) -> float:
        """While it runs, busy or not."""
        return self.vcpus * VCPU_S + self.memory_gib * GIB_S + self.gpus * L4_S

    def dollars(self, images_a_second: float) -> float:
        """For 1,000 images on an instance that is always busy."""
        return IMAGES / images_a_second * self.dollars_a_second


def instance(cores: int, memory_gib: int, *, gpu: bool) -> Instance:
    """The smallest that is like this machine."""
    if gpu:
        return Instance("L4, 4 vCPU, 16 GiB", 4, 16, gpus=1)
    return Instance(f"{cores} vCPU, {memory_gib} GiB", cores, memory_gib)
