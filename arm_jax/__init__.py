"""Balanced multimodal training: models, methods, data and the loop."""
