"""Is all there that is needed? What a machine and an installation have, and the command that mends what is wrong."""
