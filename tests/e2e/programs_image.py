"""The image of our own programs, under the name that the live tests know."""

from tests.images.assemble import REF
from tests.images.assemble import llmops_image as programs_image

__all__ = ["REF", "programs_image"]
