"""The commands of `wct`, one module for each."""
