"""The workshop: what decides when, whether and where, and the loop that drives it."""
