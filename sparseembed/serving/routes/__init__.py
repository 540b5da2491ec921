"""What a server answers, by path."""
