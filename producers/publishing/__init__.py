"""Publishing: podcast feeds of briefings and narrations."""
