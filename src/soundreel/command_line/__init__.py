"""The command line, a file for the verbs of each room; `soundreel.cli` puts them together."""
