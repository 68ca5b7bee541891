"""Sound to sound images and back; loudness, onsets and beats."""
