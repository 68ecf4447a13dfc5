"""Running it: metrics for Prometheus, the jobs that failed, and the retention that keeps the disk from filling."""
