"""Speed and memory, measured as ratios within one run; absolute figures are of the machine at hand."""
