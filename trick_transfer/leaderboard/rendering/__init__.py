"""The leaderboard as Markdown, CSV, JSON, LaTeX, terminal output and one HTML page."""
