"""Style-Bert-VITS2 JP-Extra voices: files, configuration and both back ends."""
