"""HTS voices: the built-in voices that come with Open JTalk."""
