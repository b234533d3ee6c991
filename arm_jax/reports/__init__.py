"""Reports, made from results alone: Markdown, HTML and figures."""
