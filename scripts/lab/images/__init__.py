"""The image of our own programs: built from images/Dockerfile, or assembled from local files as that file says."""

from lab.images.assemble import llmops_image

__all__ = ["llmops_image"]
