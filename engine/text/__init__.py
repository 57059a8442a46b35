"""From Japanese text to phones, tones and labels."""
