"""The demo community, and the two scenes that show what Linli is for."""
