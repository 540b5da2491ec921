"""Indexes and adapters in places elsewhere: pushed there, and pulled from there with every byte compared."""
