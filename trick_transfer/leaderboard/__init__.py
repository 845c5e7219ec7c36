"""From results to a leaderboard: scores from stored outputs, their statistics, the paper's numbers, and rendering."""
