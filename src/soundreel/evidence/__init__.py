"""Statistics on arrays, never on paths: does the music make the video?"""
