"""Work in a folder that can be stopped and repeated: results, then a report."""
