"""Text front end: Japanese text to phones, tones and labels."""
