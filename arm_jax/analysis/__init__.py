"""What data and predictions say about their modalities."""
