"""What is true of meters anywhere: intervals, averages, baselines, reductions."""
