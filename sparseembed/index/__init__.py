"""What an index folder holds: manifest, fitted statistics, segments, checksums, locks."""
