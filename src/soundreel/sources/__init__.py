"""Where clips come from: links, lists of links, playlists, folders. Here alone is yt-dlp."""
