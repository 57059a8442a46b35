"""VOICEVOX's shape, for the programs that speak it. What it looks like is theirs, all code is ours."""
