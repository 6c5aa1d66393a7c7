"""The vocabulary of the audio path, spoken by carriers, voice AIs and the bridge alike."""
