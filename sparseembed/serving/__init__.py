"""An index over HTTP, with a page for people, and as tools for agents."""
