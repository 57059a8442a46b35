"""Tasks that producers may ask of workers, and everything that both sides share."""
