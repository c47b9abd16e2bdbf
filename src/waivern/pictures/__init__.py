"""Pictures of runs and runbooks: graphs as text, SVG, mermaid and DOT; timelines."""
