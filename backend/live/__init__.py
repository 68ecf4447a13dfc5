"""Live push to browsers: a hint that something changed; the list endpoints are the truth."""
