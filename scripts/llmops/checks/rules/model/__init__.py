"""Theme `model`: what the values say about the model itself."""
