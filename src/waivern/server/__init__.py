"""The server of `wct serve`: a JSON API and pages over the runs of a store."""
