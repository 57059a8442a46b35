"""The HTTP door: OpenAI's shape, VOICEVOX's shape, jobs, and a page. It holds no voice; workers speak."""
