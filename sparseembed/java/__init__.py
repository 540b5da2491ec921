"""Java: the one virtual machine of this process, and what is called in it."""
